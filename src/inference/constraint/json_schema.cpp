#include "inference/constraint/json_schema.h"

#include <algorithm>
#include <map>
#include <memory>

#include "core/error.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"
#include "inference/constraint/schema_array.h"
#include "inference/constraint/schema_object.h"
#include "inference/constraint/schema_shape.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;

// What is found out of schemas when all of them are compiled.
struct Known {
  std::set<Schemas> dead;  // which no value fits
  std::set<Schemas> open;  // objects that need other names than those that are listed
};

class SchemaCompiler : public ShapeWriter {
 public:
  SchemaCompiler(Expressions& x, const SchemaDocument& document, MadeSchemas& made, Known known,
                 ValueStyle style = {})
      : x_(x),
        document_(document),
        text_(x, std::move(style)),
        reader_(x, document, made, *this),
        known_(std::move(known)) {}

  ExprId compile() {
    const ExprId root = value_of({&document_.root()});
    write_rules();
    return root;
  }

  // The object as the arguments of a call: NAME=VALUE in brackets.
  ExprId call_arguments() {
    std::vector<ExprId> parts;
    for (const Shape& shape : reader_.read({&document_.root()})) {
      if ((shape.types & kObject) == 0) continue;
      if (shape.values) document_.refuse(*shape.origin, "", "given arguments are not honoured");
      parts.push_back(members_of(shape, text_.call_marks()));
    }
    write_rules();
    return x_.any_of(parts);
  }

  // Strings without their quotes, spelled as they are.
  ExprId texts() {
    std::vector<ExprId> any;
    for (const Shape& shape : reader_.read({&document_.root()})) {
      if ((shape.types & kString) == 0) continue;
      if (!shape.scalars.empty()) {
        document_.refuse(*shape.origin, "", "not and oneOf are not honoured of plain text");
      }
      std::vector<ExprId> all{any_text(x_, Spelling::plain)};
      for (const auto& [schema, pattern] : shape.patterns) {
        all.push_back(pattern_of(schema, pattern, Spelling::plain));
      }
      if (has_length(shape)) {
        const ExprId character = one_of(x_, CodePoints{{0, 0x10FFFF}}, Spelling::plain);
        all.push_back(x_.repeat(character, least_length(shape), most_length(shape)));
      }
      if (shape.values) {
        std::vector<std::string> given;
        for (const Schema value : *shape.values) {
          if (value->is_string()) given.emplace_back(value->get_string());
        }
        all.push_back(x_.texts(std::move(given)));
      }
      any.push_back(x_.all_of(all));
    }
    return x_.any_of(any);
  }

  // What was found out beside what was known. Where there is none, all of it was known. Objects
  // whose listed names have no values are opened first: others may live by that.
  Known more() {
    std::vector<int32_t> rules;
    for (const auto& [_, rule] : rules_) rules.push_back(rule);
    const std::vector<bool> dead = x_.dead_rules(rules);
    Known found;
    size_t i = 0;
    for (const auto& [schemas, _] : rules_) {
      if (!dead[i++]) continue;
      (counting_.contains(schemas) ? found.open : found.dead).insert(schemas);
    }
    if (!found.open.empty()) found.dead.clear();
    return found;
  }

  ExprId scalars_of(const Shape& shape) override {
    const ExprId text = shape.values ? given_scalars(shape) : other_scalars(shape);
    if (shape.scalars.empty()) return text;
    std::vector<ExprId> all = shape.scalars;
    all.push_back(text);
    return x_.all_of(all);
  }

 private:
  void write_rules() {
    while (!open_.empty()) {
      const auto [schemas, rule] = std::move(open_.back());
      open_.pop_back();
      x_.set_body(rule, body_of(schemas));
    }
  }

  static bool has_length(const Shape& shape) {
    return shape.min_length > 0 || shape.max_length >= 0;
  }
  static bool has_patterns(const Shape& shape) {
    return !shape.patterns.empty() || has_length(shape);
  }

  ExprId value_of(Schemas schemas) {
    std::erase_if(schemas, allows_all);
    if (schemas.empty()) return text_.value_rule();
    if (known_.dead.contains(schemas)) return kNothing;
    const auto known = rules_.find(schemas);
    if (known != rules_.end()) return x_.rule(known->second);
    if (rules_.size() >= kMaxSchemas) {
      document_.refuse(*schemas[0], "", fmt::format("there are over {} schemas", kMaxSchemas));
    }
    const int32_t rule = x_.add_rule();
    rules_.emplace(schemas, rule);
    open_.emplace_back(std::move(schemas), rule);
    return x_.rule(rule);
  }

  // Where a schema says no type, but something of objects or arrays only, one of these is meant.
  static int meant_types(const Shape& shape) {
    if (shape.types != kAllTypes || shape.values) return shape.types;
    if (shape.says_of_objects() == shape.says_of_arrays()) return shape.types;
    return shape.says_of_objects() ? kObject : kArray;
  }

  ExprId body_of(const Schemas& schemas) {
    std::vector<ExprId> parts;
    for (Shape& shape : reader_.read(schemas)) {
      if (text_.style().members == Members::as_listed) {
        shape.types = meant_types(shape);
        shape.open = known_.open.contains(schemas);
        if (shape.min_properties > 0 && !shape.open) counting_.insert(schemas);
      }
      parts.push_back(written_scalars(shape));
      if ((shape.types & kArray) != 0)
        parts.push_back(shape.values ? given(shape, kArray) : array_of(shape));
      if ((shape.types & kObject) != 0)
        parts.push_back(shape.values ? given(shape, kObject) : object_of(shape));
    }
    return x_.any_of(parts);
  }

  // Strings with any escapes where nothing is said of what stands in them.
  ExprId written_scalars(const Shape& shape) {
    const bool plain = !shape.values && shape.scalars.empty() && shape.patterns.empty();
    if (!plain || (shape.types & kString) == 0) return x_.block(scalars_of(shape));
    Shape others = shape;
    others.types &= kScalars & ~kString;
    const ExprId strings = has_length(shape)
                               ? text_.string_of_length(least_length(shape), most_length(shape))
                               : text_.any_string();
    return x_.any_of({strings, x_.block(scalars_of(others))});
  }

  static int32_t least_length(const Shape& shape) { return static_cast<int32_t>(shape.min_length); }
  static int32_t most_length(const Shape& shape) { return static_cast<int32_t>(shape.max_length); }

  ExprId numbers_of(const Shape& shape) {
    std::vector<ExprId> parts;
    if (shape.least || shape.most) {
      parts.push_back(text_.number_between(shape.least, shape.most, shape.integer));
    }
    for (const auto& [k, digits] : shape.multiples) {
      parts.push_back(text_.multiple_of(k, digits, shape.integer));
    }
    if (parts.empty()) return shape.integer ? text_.any_integer() : text_.any_number();
    return x_.all_of(parts);
  }

  // What stands between the quotes, each character spelled in one way.
  ExprId strings_of(const Shape& shape) {
    std::vector<ExprId> parts;
    for (const auto& [schema, pattern] : shape.patterns)
      parts.push_back(pattern_of(schema, pattern, text_.style().spelling()));
    if (has_length(shape)) {
      const ExprId character = one_of(x_, CodePoints{{0, 0x10FFFF}}, text_.style().spelling());
      parts.push_back(x_.repeat(character, least_length(shape), most_length(shape)));
    }
    return parts.empty() ? text_.plain_content() : x_.all_of(parts);
  }

  ExprId pattern_of(Schema schema, const std::string& pattern, Spelling spelling) {
    const auto* object = schema->if_object();
    const auto* own = object == nullptr ? nullptr : object->if_contains("pattern");
    const bool is_pattern = own != nullptr && own->is_string() && own->get_string() == pattern;
    try {
      return parse_regex(x_, pattern, {.spelling = spelling, .whole = !is_pattern});
    } catch (const Error& error) {
      document_.refuse(*schema, is_pattern ? "pattern" : "format", error.message(), error.hint());
    }
  }

  // Numbers without an exponent and without zeros that say nothing: 1.0 is written as 1.
  ExprId spelled(const json::value& value) {
    const std::optional<Decimal> d = value.is_number() ? decimal_of(value) : std::nullopt;
    return d ? x_.text(d->text()) : text_.exactly(value);
  }

  ExprId other_scalars(const Shape& shape) {
    std::vector<ExprId> parts;
    if ((shape.types & kNull) != 0) parts.push_back(text_.null());
    if ((shape.types & kBoolean) != 0) parts.push_back(text_.booleans());
    if ((shape.types & kNumber) != 0) parts.push_back(numbers_of(shape));
    if ((shape.types & kString) != 0) parts.push_back(text_.quoted(strings_of(shape)));
    return x_.any_of(parts);
  }

  // enum and const.
  ExprId given_scalars(const Shape& shape) {
    const bool checked = (shape.types & kString) != 0 && has_patterns(shape);
    const ExprId strings = checked ? text_.quoted(strings_of(shape)) : kNothing;
    std::vector<ExprId> texts;
    for (const Schema value : *shape.values) {
      const int type = type_of(*value);
      if ((type & shape.types & kScalars) == 0) continue;
      if (type == kNumber && !fits_numbers(shape, *value)) continue;
      const ExprId text = spelled(*value);
      texts.push_back(type == kString && checked ? x_.all_of({text, strings}) : text);
    }
    return x_.any_of(texts);
  }

  ExprId given(const Shape& shape, int type) {
    std::vector<ExprId> texts;
    for (const Schema value : *shape.values) {
      if (type_of(*value) != type) continue;
      if (type == kObject ? shape.says_of_objects() : shape.says_of_arrays()) {
        document_.refuse(*shape.origin, "",
                         "enum and const of objects and arrays are not honoured beside other words "
                         "on them");
      }
      texts.push_back(text_.exactly(*value));
    }
    return x_.block(x_.any_of(texts));
  }

  ExprId array_of(const Shape& shape) {
    if (!shape.says_of_arrays()) return text_.array_rule();
    return array_text(x_, text_, document_, shape,
                      {.value_of = [this](Schemas schemas) { return value_of(std::move(schemas)); },
                       .given_in = [this](const Schemas& schemas) { return given_in(schemas); }});
  }

  // The texts of all values, if they are given and scalars.
  std::optional<std::vector<ExprId>> given_in(const Schemas& schemas) {
    std::vector<ExprId> texts;
    for (const Shape& shape : reader_.read(schemas)) {
      if (!shape.values && (shape.types & ~(kNull | kBoolean)) != 0) return std::nullopt;
      static const std::vector<json::value> kFew{nullptr, true, false};
      std::vector<Schema> values;
      for (const json::value& few : kFew) values.push_back(&few);
      if (shape.values) values = *shape.values;
      const ExprId fitting = scalars_of(shape);
      for (const Schema value : values) {
        const int type = type_of(*value);
        if ((type & shape.types) == 0) continue;
        if ((type & kScalars) == 0) return std::nullopt;
        // What has more digits may be spelled in two ways.
        if (value->is_number() && !decimal_of(*value)) return std::nullopt;
        const ExprId text = spelled(*value);
        if (x_.all_of({text, fitting}) != kNothing) texts.push_back(text);
      }
    }
    std::ranges::sort(texts);
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts;
  }

  ExprId object_of(const Shape& shape) {
    return shape.says_of_objects() ? members_of(shape, text_.marks()) : text_.object_rule();
  }

  ExprId members_of(const Shape& shape, const MemberMarks& marks) {
    return object_text(
        x_, text_, document_, shape, marks,
        {.value_of = [this](Schemas schemas) { return value_of(std::move(schemas)); },
         .names_of = [this](const Schemas& schemas) { return names_of(schemas); }});
  }

  // The names (between their quotes) that fit propertyNames.
  ExprId names_of(const Schemas& schemas) {
    std::vector<ExprId> parts;
    for (Shape& shape : reader_.read(schemas)) {
      shape.types &= kString;
      parts.push_back(scalars_of(shape));
    }
    return x_.any_of(parts);
  }

  Expressions& x_;
  const SchemaDocument& document_;
  JsonText text_;
  ShapeReader reader_;
  const Known known_;
  std::set<Schemas> counting_;  // with minProperties, which listed names may not reach
  std::map<Schemas, int32_t> rules_;
  std::vector<std::pair<Schemas, int32_t>> open_;
};

// `write`: what of the compiler is asked for.
template <typename Write>
ExprId compile_living(Expressions& x, const json::value& schema, const ValueStyle& style,
                      Write write) {
  const SchemaDocument document(schema);
  Known known;
  MadeSchemas made;  // for all turns, so that `known` keeps its meaning
  // Schemas that nothing fits are found last; without them, others may have no value either.
  for (;;) {
    SchemaCompiler compiler(x, document, made, known, style);
    const ExprId root = write(compiler);
    Known more = compiler.more();
    if (more.dead.empty() && more.open.empty()) return root;
    known.dead.merge(more.dead);
    known.open.merge(more.open);
  }
}

}  // namespace

ExprId compile_json_schema(Expressions& x, const json::value& schema, const ValueStyle& style) {
  return compile_living(x, schema, style, [](SchemaCompiler& one) { return one.compile(); });
}

ExprId compile_call_arguments(Expressions& x, const json::value& schema, const ValueStyle& style) {
  return compile_living(x, schema, style, [](SchemaCompiler& one) { return one.call_arguments(); });
}

ExprId compile_schema_texts(Expressions& x, const json::value& schema) {
  const SchemaDocument document(schema);
  MadeSchemas made;
  return SchemaCompiler(x, document, made, {}).texts();
}

}  // namespace strata::inference
