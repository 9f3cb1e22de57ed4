#include "inference/constraint/schema_shape.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"

namespace strata::inference {
namespace {

constexpr std::array kAnnotations{"$schema",
                                  "$id",
                                  "$anchor",
                                  "$comment",
                                  "$defs",
                                  "definitions",
                                  "$vocabulary",
                                  "$dynamicAnchor",
                                  "title",
                                  "description",
                                  "default",
                                  "examples",
                                  "example",
                                  "deprecated",
                                  "readOnly",
                                  "writeOnly",
                                  "contentMediaType",
                                  "contentEncoding",
                                  "contentSchema",
                                  "then",
                                  "else",
                                  "discriminator",
                                  "xml",
                                  "externalDocs"};

bool is_annotation(std::string_view key) {
  return key.starts_with("x-") ||
         std::find(kAnnotations.begin(), kAnnotations.end(), key) != kAnnotations.end();
}

int type_of(std::string_view name) {
  if (name == "null") return kNull;
  if (name == "boolean") return kBoolean;
  if (name == "number" || name == "integer") return kNumber;
  if (name == "string") return kString;
  if (name == "array") return kArray;
  if (name == "object") return kObject;
  return 0;
}

// What values of a type have a number of.
struct Counted {
  std::string_view what;
  int64_t Shape::* least;
  int64_t Shape::* most;
  ValueType type;
};
constexpr std::array<Counted, 3> kCounted{
    {{"Length", &Shape::min_length, &Shape::max_length, kString},
     {"Items", &Shape::min_items, &Shape::max_items, kArray},
     {"Properties", &Shape::min_properties, &Shape::max_properties, kObject}}};

bool less(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative;
  const Decimal& small = a.negative ? b : a;
  const Decimal& large = a.negative ? a : b;
  if (small.whole.size() != large.whole.size()) return small.whole.size() < large.whole.size();
  if (small.whole != large.whole) return small.whole < large.whole;
  return small.fraction < large.fraction;
}

// One text for all values that are the same to a schema, as 1 and 1.0 are.
std::string text_of(const json::value& value) {
  if (value.is_number()) return exact_decimal(value).text();
  std::string text;
  if (const auto* array = value.if_array()) {
    for (const json::value& part : *array) text += text_of(part) + ',';
    return '[' + text + ']';
  }
  const auto* object = value.if_object();
  if (object == nullptr) return to_json(value);
  std::map<std::string, std::string> members;
  for (const auto& [name, part] : *object) members.emplace(json_quote(name), text_of(part));
  for (const auto& [name, part] : members) text += name + ':' + part + ',';
  return '{' + text + '}';
}

bool is_multiple(const Decimal& number, int64_t k, int32_t digits) {
  const auto n = static_cast<size_t>(digits);
  if (number.fraction.size() > n) return false;
  int64_t rest = 0;
  for (const char digit : number.whole + number.fraction) rest = (rest * 10 + (digit - '0')) % k;
  for (size_t i = number.fraction.size(); i < n; ++i) rest = rest * 10 % k;
  return rest == 0;
}

}  // namespace

bool fits_numbers(const Shape& shape, const json::value& number) {
  const Decimal d = exact_decimal(number);
  const auto beyond = [](const NumberBound& bound, const Decimal& low, const Decimal& high) {
    return less(high, low) || (bound.exclusive && low == high);
  };
  if ((shape.types & kNumber) == 0 || (shape.integer && !d.fraction.empty())) return false;
  if (shape.least && beyond(*shape.least, shape.least->value, d)) return false;
  if (shape.most && beyond(*shape.most, d, shape.most->value)) return false;
  return std::ranges::all_of(shape.multiples, [&](const auto& multiple) {
    return is_multiple(d, multiple.first, multiple.second);
  });
}

int type_of(const json::value& value) {
  if (value.is_null()) return kNull;
  if (value.is_bool()) return kBoolean;
  if (value.is_string()) return kString;
  if (value.is_array()) return kArray;
  return value.is_object() ? kObject : kNumber;
}

bool allows_all(Schema schema) {
  if (schema->is_bool()) return schema->get_bool();
  const auto* object = schema->if_object();
  return object != nullptr && std::all_of(object->begin(), object->end(), [](const auto& member) {
           return is_annotation(member.key());
         });
}

std::vector<Shape> ShapeReader::read(const Schemas& schemas) {
  Shapes shapes(1);
  shapes[0].origin = schemas.empty() ? nullptr : schemas[0];
  for (const Schema schema : schemas) absorb(shapes, schema);
  return shapes;
}

void ShapeReader::absorb(Shapes& shapes, Schema schema) {
  if (schema->is_bool()) {
    if (!schema->get_bool()) shapes.clear();
    return;
  }
  const auto* object = schema->if_object();
  if (object == nullptr) document_.refuse(*schema, "", "a schema is an object, true or false");
  if (std::find(path_.begin(), path_.end(), schema) != path_.end()) {
    document_.refuse(*schema, "", "the schema refers to itself without any value in between");
  }
  if (path_.size() >= kMaxSchemaPath) {
    document_.refuse(*schema, "",
                     fmt::format("over {} schemas lead here, each of which refers to the next, "
                                 "without any value in between",
                                 kMaxSchemaPath));
  }
  path_.push_back(schema);
  const bool asks =
      object->contains("unevaluatedProperties") || object->contains("unevaluatedItems");
  mark_begin(shapes, schema, asks);
  for (const auto& [key, value] : *object) absorb_keyword(shapes, schema, key, value);
  if (asks) absorb_unevaluated(shapes, schema);
  for (Shape& shape : shapes) shape.marks.pop_back();
  path_.pop_back();
}

void ShapeReader::mark_begin(Shapes& shapes, Schema schema, bool asks) {
  x_.spend();
  for (Shape& shape : shapes) {
    x_.spend(static_cast<int64_t>(shape.objects.size() + shape.arrays.size()));
    const size_t outer = shape.marks.empty() ? 0 : shape.marks.back().n_read;
    shape.marks.push_back({.objects = shape.objects.size(),
                           .arrays = shape.arrays.size(),
                           .n_read = asks ? shape.n_read : outer});
    if (shape.origin == nullptr) shape.origin = schema;
  }
}

// What was read into all shapes says nothing once more.
void ShapeReader::absorb_reference(Shapes& shapes, Schema schema) {
  const auto known = [&](const Shape& shape) { return was_read(shape, schema); };
  if (!shapes.empty() && std::ranges::all_of(shapes, known)) return;
  absorb(shapes, schema);
  for (Shape& shape : shapes) shape.read_from[{schema, weight()}] = ++shape.n_read;
}

bool ShapeReader::was_read(const Shape& shape, Schema schema) const {
  const size_t from = shape.marks.empty() ? 0 : shape.marks.back().n_read;
  constexpr std::array kWeights{Weight::silent, Weight::condition, Weight::whole};
  return std::ranges::any_of(kWeights, [&](Weight read) {
    const auto known = shape.read_from.find({schema, read});
    return read >= weight() && known != shape.read_from.end() && known->second > from;
  });
}

Weight ShapeReader::weight() const {
  if (silent_ > 0) return Weight::silent;
  return conditions_ > 0 ? Weight::condition : Weight::whole;
}

void ShapeReader::absorb_silently(Shapes& shapes, Schema schema) {
  ++silent_;
  absorb(shapes, schema);
  --silent_;
}

void ShapeReader::absorb_keyword(Shapes& shapes, Schema schema, std::string_view key,
                                 const json::value& value) {
  if (is_annotation(key)) return;
  if (absorb_count(shapes, schema, key, value)) return;
  if (absorb_scalar_keyword(shapes, schema, key, value)) return;
  if (absorb_array_keyword(shapes, schema, key, value)) return;
  if (absorb_object_keyword(shapes, schema, key, value)) return;
  if (absorb_applicator(shapes, schema, key, value)) return;
  document_.refuse(*schema, key, fmt::format("{} is not honoured", key));
}

int64_t ShapeReader::count(Schema schema, std::string_view key, const json::value& value) const {
  double n = -1;
  if (value.is_number()) n = value.to_number<double>();
  if (n < 0 || n != static_cast<double>(static_cast<int64_t>(std::min(n, 1e15)))) {
    document_.refuse(*schema, key, fmt::format("{} must be a whole number from 0 on", key));
  }
  if (n > kMaxRepeat) {
    // No answer is so long, so that a largest one says nothing.
    if (key.starts_with("max")) return -1;
    document_.refuse(*schema, key, fmt::format("{} is {}, the limit is {}", key, n, kMaxRepeat));
  }
  return static_cast<int64_t>(n);
}

bool ShapeReader::absorb_count(Shapes& shapes, Schema schema, std::string_view key,
                               const json::value& value) {
  const bool least = key.starts_with("min");
  if (!least && !key.starts_with("max")) return false;
  const auto counted = std::find_if(kCounted.begin(), kCounted.end(),
                                    [&](const Counted& one) { return key.substr(3) == one.what; });
  if (counted == kCounted.end()) return false;
  const int64_t n = count(schema, key, value);
  for (Shape& shape : shapes) {
    int64_t& from = shape.*counted->least;
    int64_t& to = shape.*counted->most;
    if (least) from = std::max(from, n);
    if (!least && n >= 0 && (to < 0 || n < to)) to = n;
    if (to >= 0 && from > to) shape.types &= ~counted->type;
  }
  return true;
}

Schemas ShapeReader::schemas_in(Schema schema, std::string_view key,
                                const json::value& value) const {
  const auto* array = value.if_array();
  if (array == nullptr || array->empty()) {
    document_.refuse(*schema, key, fmt::format("{} must be a list of schemas", key));
  }
  Schemas schemas;
  for (const json::value& part : *array) schemas.push_back(&part);
  return schemas;
}

void ShapeReader::absorb_values(Shapes& shapes, const std::vector<Schema>& values) {
  std::set<std::string> texts;
  for (Shape& shape : shapes) {
    if (!shape.values) {
      shape.values = values;
      continue;
    }
    if (texts.empty()) {
      for (const Schema value : values) texts.insert(text_of(*value));
    }
    std::erase_if(*shape.values, [&](Schema value) { return !texts.contains(text_of(*value)); });
  }
}

bool ShapeReader::absorb_scalar_keyword(Shapes& shapes, Schema schema, std::string_view key,
                                        const json::value& value) {
  const auto refuse = [&](std::string_view what) { document_.refuse(*schema, key, what); };
  const auto text = [&]() -> std::string {
    if (!value.is_string()) refuse(fmt::format("{} must be a string", key));
    return std::string(value.get_string());
  };
  if (key == "type") {
    int types = 0;
    bool number = false;
    bool integer = false;
    const auto add = [&](const json::value& name) {
      const int type = name.is_string() ? type_of(std::string_view(name.get_string())) : 0;
      if (type == 0) refuse(fmt::format("there is no type {}", to_json(name)));
      types |= type;
      integer = integer || name.get_string() == "integer";
      number = number || name.get_string() == "number";
    };
    if (const auto* list = value.if_array()) {
      for (const json::value& name : *list) add(name);
    } else {
      add(value);
    }
    for (Shape& shape : shapes) {
      shape.types &= types;
      shape.integer = shape.integer || (integer && !number);
    }
  } else if (key == "const") {
    absorb_values(shapes, {&value});
  } else if (key == "enum") {
    if (!value.is_array()) refuse("enum must be a list");
    std::vector<Schema> values;
    for (const json::value& one : value.get_array()) values.push_back(&one);
    absorb_values(shapes, values);
  } else if (key == "minimum" || key == "exclusiveMinimum" || key == "maximum" ||
             key == "exclusiveMaximum") {
    if (!value.is_number()) refuse(fmt::format("{} must be a number", key));
    const std::optional<Decimal> decimal = decimal_of(value);
    if (!decimal) refuse(fmt::format("{} has more than 20 digits", key));
    const NumberBound bound{*decimal, key.starts_with("exclusive")};
    const bool least = key.ends_with("inimum");
    for (Shape& shape : shapes) {
      std::optional<NumberBound>& known = least ? shape.least : shape.most;
      const bool tighter = !known ||
                           (least ? less(known->value, *decimal) : less(*decimal, known->value)) ||
                           (known->value == *decimal && bound.exclusive);
      if (tighter) known = bound;
    }
  } else if (key == "multipleOf") {
    const std::optional<Decimal> d = value.is_number() ? decimal_of(value) : std::nullopt;
    if (!d || d->negative || d->whole.size() + d->fraction.size() > 9) {
      refuse("multipleOf must be a number above 0 with at most 9 digits");
    }
    const int64_t k = std::stoll(d->whole + d->fraction);
    if (k == 0) refuse("multipleOf must be above 0");
    for (Shape& shape : shapes) {
      shape.multiples.emplace_back(k, static_cast<int32_t>(d->fraction.size()));
    }
  } else if (key == "pattern" || key == "format") {
    std::string pattern = text();
    if (key == "format") {
      const std::optional<std::string_view> known = pattern_of_format(pattern);
      if (!known) refuse(fmt::format("the format {} is not honoured", pattern));
      pattern = *known;
    }
    for (Shape& shape : shapes) shape.patterns.emplace_back(schema, pattern);
  } else {
    return false;
  }
  return true;
}

bool ShapeReader::absorb_array_keyword(Shapes& shapes, Schema schema, std::string_view key,
                                       const json::value& value) {
  const auto* object = schema->if_object();
  if (key == "uniqueItems") {
    if (!value.is_bool()) document_.refuse(*schema, key, "uniqueItems must be true or false");
    for (Shape& shape : shapes) shape.unique = shape.unique || value.get_bool();
  } else if (key == "contains") {
    absorb_contains(shapes, schema, value);
  } else if (key == "minContains" || key == "maxContains") {
    count(schema, key, value);  // which says nothing without contains
  } else if (key == "items" || key == "prefixItems" || key == "additionalItems") {
    // All three at the first of them. A list under `items` is an older draft's prefixItems.
    const json::value* items = object->if_contains("items");
    const json::value* prefix = object->if_contains("prefixItems");
    const json::value* other = object->if_contains("additionalItems");
    const bool old = items != nullptr && items->is_array();
    if (key != (prefix != nullptr ? "prefixItems" : items != nullptr ? "items" : key)) return true;
    if (key == "additionalItems") return true;  // which says nothing alone
    if (old && prefix != nullptr) {
      document_.refuse(*schema, "items", "beside prefixItems, items must be one schema");
    }
    ArrayPart part;
    if (prefix != nullptr) part.prefix = schemas_in(schema, "prefixItems", *prefix);
    if (old && !items->get_array().empty()) part.prefix = schemas_in(schema, "items", *items);
    part.items = old ? other : items;
    part.evaluates = silent_ == 0;
    for (Shape& shape : shapes) shape.arrays.push_back(part);
  } else {
    return false;
  }
  return true;
}

void ShapeReader::absorb_contains(Shapes& shapes, Schema schema, const json::value& value) {
  const auto* object = schema->if_object();
  const json::value* least = object->if_contains("minContains");
  const json::value* most = object->if_contains("maxContains");
  Contains contains{.schema = &value};
  if (least != nullptr) contains.least = count(schema, "minContains", *least);
  if (most != nullptr) contains.most = count(schema, "maxContains", *most);
  if (contains.most >= 0) contains.others = opposite(&value);
  for (Shape& shape : shapes) shape.contains.push_back(contains);
}

bool ShapeReader::absorb_object_keyword(Shapes& shapes, Schema schema, std::string_view key,
                                        const json::value& value) {
  const auto* object = schema->if_object();
  const auto refuse = [&](std::string_view what) { document_.refuse(*schema, key, what); };
  const auto names_in = [&](const json::value& list) {
    std::vector<std::string> names;
    if (!list.is_array()) refuse(fmt::format("{} must be a list of names", key));
    for (const json::value& name : list.get_array()) {
      if (!name.is_string()) refuse(fmt::format("{} must be a list of names", key));
      names.emplace_back(name.get_string());
    }
    return names;
  };
  if (key == "required") {
    const std::vector<std::string> names = names_in(value);
    for (Shape& shape : shapes) {
      shape.required.insert(names.begin(), names.end());
      for (const std::string& name : names) shape.supposed.erase(name);
    }
  } else if (key == "dependentRequired") {
    if (!value.is_object()) refuse("dependentRequired must be an object");
    for (const auto& [name, list] : value.get_object()) {
      const std::vector<std::string> names = names_in(list);
      for (Shape& shape : shapes) shape.dependents.emplace_back(name, names);
    }
  } else if (key == "propertyNames") {
    for (Shape& shape : shapes) shape.names.push_back(&value);
  } else if (key == "properties" || key == "patternProperties" || key == "additionalProperties") {
    const json::value* properties = object->if_contains("properties");
    const json::value* patterns = object->if_contains("patternProperties");
    const std::string_view first = properties != nullptr ? "properties"
                                   : patterns != nullptr ? "patternProperties"
                                                         : "additionalProperties";
    if (key != first) return true;  // together with that
    ObjectPart part;
    part.additional = object->if_contains("additionalProperties");
    part.lists = properties != nullptr && weight() == Weight::whole;
    part.evaluates = silent_ == 0;
    for (const json::value* members : {properties, patterns}) {
      if (members == nullptr) continue;
      if (!members->is_object()) refuse("it must be an object of schemas");
      auto& list = members == properties ? part.properties : part.patterns;
      for (const auto& member : members->get_object()) {
        list.emplace_back(member.key(), &member.value());
      }
    }
    if (part.properties.size() > kMaxProperties || part.patterns.size() > kMaxPatternProperties) {
      refuse(fmt::format("there are {} names and {} patterns of names, the limits are {} and {}",
                         part.properties.size(), part.patterns.size(), kMaxProperties,
                         kMaxPatternProperties));
    }
    for (Shape& shape : shapes) shape.objects.push_back(part);
  } else {
    return false;
  }
  return true;
}

// What no schema beside or below said anything of (2020-12, 11.2 and 11.3).
void ShapeReader::absorb_unevaluated(Shapes& shapes, Schema schema) {
  static const json::value kAny(true);
  const auto* object = schema->if_object();
  const json::value* properties = object->if_contains("unevaluatedProperties");
  const json::value* items = object->if_contains("unevaluatedItems");
  for (Shape& shape : shapes) {
    const size_t first_object = shape.marks.back().objects;
    const size_t first_array = shape.marks.back().arrays;
    ObjectPart rest;
    rest.additional = properties;
    for (size_t i = first_object; i < shape.objects.size(); ++i) {
      const ObjectPart& part = shape.objects[i];
      if (!part.evaluates) continue;
      if (part.additional != nullptr) rest.additional = nullptr;
      for (const auto& [name, _] : part.properties) rest.properties.emplace_back(name, &kAny);
      for (const auto& [name, _] : part.patterns) rest.patterns.emplace_back(name, &kAny);
    }
    if (rest.additional != nullptr) shape.objects.push_back(std::move(rest));
    if (items != nullptr && !shape.contains.empty()) {
      document_.refuse(*schema, "unevaluatedItems", "it is not honoured beside contains");
    }
    ArrayPart behind;
    behind.items = items;
    for (size_t i = first_array; i < shape.arrays.size(); ++i) {
      const ArrayPart& part = shape.arrays[i];
      if (!part.evaluates) continue;
      if (part.items != nullptr) behind.items = nullptr;
      behind.prefix.resize(std::max(behind.prefix.size(), part.prefix.size()), &kAny);
    }
    if (behind.items != nullptr) shape.arrays.push_back(std::move(behind));
  }
}

Schemas schemas_of_name(Expressions& x, const Shape& shape, const std::string& name) {
  Schemas schemas;
  for (const ObjectPart& part : shape.objects) {
    bool named = false;
    for (const auto& [property, schema] : part.properties) {
      if (property != name) continue;
      named = true;
      schemas.push_back(schema);
    }
    for (const auto& [pattern, schema] : part.patterns) {
      if (!x.matches(parse_regex(x, pattern, {.whole = false}), name)) continue;
      named = true;
      schemas.push_back(schema);
    }
    if (!named && part.additional != nullptr) schemas.push_back(part.additional);
  }
  std::erase_if(schemas, allows_all);
  std::sort(schemas.begin(), schemas.end());
  schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
  return schemas;
}

Schemas schemas_of_item(const Shape& shape, size_t index) {
  Schemas schemas;
  for (const ArrayPart& part : shape.arrays) {
    if (index < part.prefix.size()) {
      schemas.push_back(part.prefix[index]);
    } else if (part.items != nullptr) {
      schemas.push_back(part.items);
    }
  }
  std::erase_if(schemas, allows_all);
  std::sort(schemas.begin(), schemas.end());
  schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
  return schemas;
}

}  // namespace strata::inference
