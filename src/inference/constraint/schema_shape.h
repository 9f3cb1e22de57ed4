// What schemas that hold together say of one value, taken apart by the kinds of values: one shape
// for each combination of their alternatives.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inference/constraint/json_text.h"
#include "inference/constraint/schema_document.h"

namespace strata::inference {

using Schema = const json::value*;
using Schemas = std::vector<Schema>;  // all of which hold; sorted

// Schemas that stand in no document, by their text; the same schema is the same pointer.
using MadeSchemas = std::map<std::string, json::value>;

enum ValueType : uint8_t {
  kNull = 1,
  kBoolean = 2,
  kNumber = 4,
  kString = 8,
  kArray = 16,
  kObject = 32,
  kScalars = 15,
  kAllTypes = 63
};

// properties, patternProperties and additionalProperties that stand together.
struct ObjectPart {
  std::vector<std::pair<std::string, Schema>> properties;
  std::vector<std::pair<std::string, Schema>> patterns;
  Schema additional = nullptr;  // of the other names; null: any
  bool evaluates = true;        // counts for unevaluatedProperties
  bool lists = false;  // properties stands there, be it without a name, and is no condition
};
struct ArrayPart {
  Schemas prefix;          // in their order
  Schema items = nullptr;  // of those behind it; null: any
  bool evaluates = true;
};

// What a schema says of a value: how it is ruled out only; or also what is evaluated; or also which
// names are meant.
enum class Weight : uint8_t { silent, condition, whole };

// At least `least` items, at most `most` (-1: any number) fit a schema.
struct Contains {
  Schema schema = nullptr;
  Schema others = nullptr;  // what the other items fit, where they are counted
  int64_t least = 1, most = -1;
};

struct Shape {
  Schema origin = nullptr;  // for messages
  int types = kAllTypes;
  std::optional<std::vector<Schema>> values;  // enum and const
  std::vector<ExprId> scalars;                // which scalars must match, too

  bool integer = false;
  std::optional<NumberBound> least, most;
  std::vector<std::pair<int64_t, int32_t>> multiples;  // k * 10^-digits

  int64_t min_length = 0, max_length = -1;
  std::vector<std::pair<Schema, std::string>> patterns;  // regular expressions

  std::vector<ObjectPart> objects;
  std::set<std::string> required;
  std::set<std::string> supposed;  // of them, those that only dependentSchemas speaks of
  bool open = false;               // other names may come although some are listed
  std::vector<std::pair<std::string, std::vector<std::string>>> dependents;
  Schemas names;  // propertyNames
  int64_t min_properties = 0, max_properties = -1;

  std::vector<ArrayPart> arrays;
  int64_t min_items = 0, max_items = -1;
  bool unique = false;
  std::vector<Contains> contains;

  // What it was read from by references, and what that says; the values count up.
  std::map<std::pair<Schema, Weight>, size_t> read_from;
  size_t n_read = 0;

  // How much of these there was where a schema begins that is being read; of what was read, where
  // the innermost begins that asks what is evaluated in it.
  struct Mark {
    size_t objects = 0, arrays = 0, n_read = 0;
  };
  std::vector<Mark> marks;

  bool says_of_objects() const {
    return !objects.empty() || !required.empty() || !dependents.empty() || !names.empty() ||
           min_properties > 0 || max_properties >= 0;
  }
  bool says_of_arrays() const {
    return !arrays.empty() || min_items > 0 || max_items >= 0 || unique || !contains.empty();
  }
};

// How values of shapes are written; SchemaCompiler is.
class ShapeWriter {
 public:
  virtual ~ShapeWriter() = default;
  // The numbers, strings, booleans and null of a shape, each spelled in one way.
  virtual ExprId scalars_of(const Shape& shape) = 0;
};

class ShapeReader {
 public:
  ShapeReader(Expressions& x, const SchemaDocument& document, MadeSchemas& made,
              ShapeWriter& writer)
      : x_(x), document_(document), made_(made), writer_(writer) {}

  // Errors: those of compile_json_schema.
  std::vector<Shape> read(const Schemas& schemas);
  // A schema that is made here, and kept.
  Schema keep(json::value schema) {
    std::string text = to_json(schema);
    x_.spend(static_cast<int64_t>(text.size()));
    return &made_.try_emplace(std::move(text), std::move(schema)).first->second;
  }

 private:
  using Shapes = std::vector<Shape>;
  void absorb(Shapes& shapes, Schema schema);
  // `asks`: whether the schema asks what is evaluated in it.
  void mark_begin(Shapes& shapes, Schema schema, bool asks);
  void absorb_reference(Shapes& shapes, Schema schema);
  void absorb_silently(Shapes& shapes, Schema schema);
  Weight weight() const;
  void absorb_keyword(Shapes& shapes, Schema schema, std::string_view key,
                      const json::value& value);
  bool absorb_count(Shapes& shapes, Schema schema, std::string_view key, const json::value& value);
  bool absorb_scalar_keyword(Shapes& shapes, Schema schema, std::string_view key,
                             const json::value& value);
  bool absorb_array_keyword(Shapes& shapes, Schema schema, std::string_view key,
                            const json::value& value);
  void absorb_contains(Shapes& shapes, Schema schema, const json::value& value);
  bool absorb_object_keyword(Shapes& shapes, Schema schema, std::string_view key,
                             const json::value& value);
  bool absorb_applicator(Shapes& shapes, Schema schema, std::string_view key,
                         const json::value& value);
  void absorb_unevaluated(Shapes& shapes, Schema schema);
  void absorb_values(Shapes& shapes, const std::vector<Schema>& values);
  void absorb_any_of(Shapes& shapes, Schema schema, std::string_view key,
                     const Schemas& alternatives);
  void absorb_one_of(Shapes& shapes, Schema schema, const json::value& value);
  void check_combinations(size_t n, Schema schema, std::string_view key) const;
  void add_alternative(Shapes& all, Schema schema, std::string_view key, Shapes some);
  void rule_out(Shapes& shapes, Schema schema, const Schemas& alternatives, size_t but);
  void absorb_not(Shapes& shapes, Schema schema, Schema negated);
  void absorb_condition(Shapes& shapes, Schema schema, const json::value& condition);
  void suppose(Shapes& shapes, const std::string& name);
  bool absorb_dependents(Shapes& shapes, Schema schema, const json::value& value);
  json::value negated(Schema schema, int depth);
  Schema opposite(Schema schema);
  bool was_read(const Shape& shape, Schema schema) const;
  bool apart(const Shapes& some, const Shapes& others, int depth);
  bool apart(const Shape& a, const Shape& b, int depth);
  ExprId scalars_of(const Shapes& shapes);
  ExprId scalars_but(ExprId texts);
  Schemas schemas_in(Schema schema, std::string_view key, const json::value& value) const;
  int64_t count(Schema schema, std::string_view key, const json::value& value) const;

  Expressions& x_;
  const SchemaDocument& document_;
  MadeSchemas& made_;
  ShapeWriter& writer_;
  std::map<Schema, Schema> opposites_;
  std::vector<Schema> path_;  // what is being absorbed
  int32_t silent_ = 0;        // above 0: it only rules out, and evaluates nothing
  int32_t conditions_ = 0;    // above 0: under `if`
};

// What the parts of a shape say of a name.
Schemas schemas_of_name(Expressions& x, const Shape& shape, const std::string& name);
// What they say of an item.
Schemas schemas_of_item(const Shape& shape, size_t index);
int type_of(const json::value& value);
// Whether a shape's numbers have this one, by their type, bounds and multiples.
bool fits_numbers(const Shape& shape, const json::value& number);
// Of the formats that are honoured. Nothing for others.
std::optional<std::string_view> pattern_of_format(std::string_view format);
// Whether a schema is true, or an object without a word.
bool allows_all(Schema schema);

}  // namespace strata::inference
