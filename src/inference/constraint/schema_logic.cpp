// What a schema says by other schemas: allOf, anyOf, oneOf, not, if, $ref.
#include <algorithm>
#include <functional>
#include <iterator>

#include "core/error.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"
#include "inference/constraint/schema_shape.h"

namespace strata::inference {
namespace {

json::value with_name(std::string_view name, json::value schema) {
  json::object properties;
  properties[name] = std::move(schema);
  return json::object{{"type", "object"},
                      {"required", json::array{json::string(name)}},
                      {"properties", std::move(properties)}};
}

json::value without_name(std::string_view name) {
  json::object properties;
  properties[name] = false;
  return json::object{{"type", "object"}, {"properties", std::move(properties)}};
}

// Whether a shape's given numbers have one of the other's that is spelled with more digits than
// these are, so that their texts do not show it.
bool gives_long_number(const Shape& shape, const Shape& other) {
  return shape.values && std::ranges::any_of(*shape.values, [&](Schema value) {
           return value->is_number() && !decimal_of(*value) && fits_numbers(shape, *value) &&
                  fits_numbers(other, *value);
         });
}

}  // namespace

bool ShapeReader::absorb_applicator(Shapes& shapes, Schema schema, std::string_view key,
                                    const json::value& value) {
  if (key == "$ref") {
    if (!value.is_string()) document_.refuse(*schema, key, "$ref must be a string");
    absorb_reference(shapes, &document_.resolve(*schema, std::string_view(value.get_string())));
  } else if (key == "$dynamicRef") {
    if (!value.is_string()) document_.refuse(*schema, key, "$dynamicRef must be a string");
    const std::string_view to(value.get_string());
    absorb_reference(shapes, &document_.resolve_dynamic(*schema, to));
  } else if (key == "allOf") {
    for (const Schema part : schemas_in(schema, key, value)) absorb(shapes, part);
  } else if (key == "anyOf") {
    absorb_any_of(shapes, schema, key, schemas_in(schema, key, value));
  } else if (key == "oneOf") {
    absorb_one_of(shapes, schema, value);
  } else if (key == "not") {
    absorb_not(shapes, schema, &value);
  } else if (key == "if") {
    absorb_condition(shapes, schema, value);
  } else if (key == "dependentSchemas" || key == "dependencies") {
    return absorb_dependents(shapes, schema, value);
  } else {
    // These two are read behind all others.
    return key == "unevaluatedProperties" || key == "unevaluatedItems";
  }
  return true;
}

void ShapeReader::absorb_any_of(Shapes& shapes, Schema schema, std::string_view key,
                                const Schemas& alternatives) {
  Shapes all;
  for (const Schema alternative : alternatives) {
    Shapes some = shapes;
    absorb(some, alternative);
    add_alternative(all, schema, key, std::move(some));
  }
  shapes = std::move(all);
}

void ShapeReader::check_combinations(size_t n, Schema schema, std::string_view key) const {
  if (n <= kMaxAlternatives) return;
  document_.refuse(*schema, key,
                   fmt::format("the alternatives have over {} combinations", kMaxAlternatives));
}

void ShapeReader::add_alternative(Shapes& all, Schema schema, std::string_view key, Shapes some) {
  std::erase_if(some, [](const Shape& shape) { return shape.types == 0; });
  check_combinations(all.size() + some.size(), schema, key);
  std::ranges::move(some, std::back_inserter(all));
}

ExprId ShapeReader::scalars_of(const Shapes& shapes) {
  std::vector<ExprId> parts;
  for (const Shape& shape : shapes) parts.push_back(writer_.scalars_of(shape));
  return x_.any_of(parts);
}

// Texts that are none of these. Numbers are written in one way, so that 1.0 and 1e0 are not taken
// for others than 1.
ExprId ShapeReader::scalars_but(ExprId texts) {
  const ExprId other_spellings = parse_regex(x_, R"(-?[0-9]+\.[0-9]*0|-?[0-9.]+[eE][-+0-9]+|-0)");
  return x_.none_of(x_.any_of({texts, other_spellings}));
}

// Whether no value fits two shapes. May say no although it is so.
bool ShapeReader::apart(const Shape& a, const Shape& b, int depth) {
  const int common = a.types & b.types;
  if ((common & kScalars) != 0 &&
      x_.all_of({writer_.scalars_of(a), writer_.scalars_of(b)}) != Expressions::kNothing) {
    return false;
  }
  if (!b.values && gives_long_number(a, b)) return false;
  if (!a.values && gives_long_number(b, a)) return false;
  if ((common & kArray) != 0) {
    const auto longer = [](const Shape& one, const Shape& other) {
      return other.max_items >= 0 && one.min_items > other.max_items;
    };
    if (!longer(a, b) && !longer(b, a)) return false;
  }
  if ((common & kObject) == 0) return true;
  std::set<std::string> names = a.required;
  names.insert(b.required.begin(), b.required.end());
  constexpr int kDeepest = 3;
  return depth < kDeepest && std::any_of(
                                 names.begin(), names.end(),
                                 [&](const std::string& name) {
                                   return apart(read(schemas_of_name(x_, a, name)),
                                                read(schemas_of_name(x_, b, name)), depth + 1);
                                 });
}

bool ShapeReader::apart(const Shapes& some, const Shapes& others, int depth) {
  return std::all_of(some.begin(), some.end(), [&](const Shape& a) {
    return std::all_of(others.begin(), others.end(),
                       [&](const Shape& b) { return apart(a, b, depth); });
  });
}

// Alternatives that no value fits two of are as under anyOf. Where others are of scalars only,
// their texts are compared.
void ShapeReader::absorb_one_of(Shapes& shapes, Schema schema, const json::value& value) {
  const Schemas alternatives = schemas_in(schema, "oneOf", value);
  std::vector<Shapes> read_alone;
  for (const Schema alternative : alternatives) {
    Shapes alone = shapes;  // what holds beside it may tell them apart
    absorb(alone, alternative);
    read_alone.push_back(std::move(alone));
  }
  bool all_apart = true;
  bool all_scalar = true;
  for (size_t i = 0; i < read_alone.size(); ++i) {
    for (size_t j = i + 1; j < read_alone.size(); ++j) {
      x_.spend();
      all_apart = all_apart && apart(read_alone[i], read_alone[j], 0);
    }
    for (const Shape& shape : read_alone[i]) {
      all_scalar = all_scalar && (shape.types & ~kScalars) == 0;
    }
  }
  if (all_apart || !all_scalar) {
    shapes.clear();
    for (size_t i = 0; i < read_alone.size(); ++i) {
      Shapes& alone = read_alone[i];
      if (!all_apart) rule_out(alone, schema, alternatives, i);
      add_alternative(shapes, schema, "oneOf", std::move(alone));
    }
    return;
  }
  std::vector<ExprId> texts;
  for (const Shapes& alone : read_alone) texts.push_back(scalars_of(alone));
  std::vector<ExprId> one;
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<ExprId> others = texts;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    one.push_back(x_.all_of({texts[i], scalars_but(x_.any_of(others))}));
  }
  const ExprId text = x_.any_of(one);
  for (Shape& shape : shapes) {
    shape.types &= kScalars;
    shape.scalars.push_back(text);
  }
}

// What fits any of the alternatives but one.
void ShapeReader::rule_out(Shapes& shapes, Schema schema, const Schemas& alternatives, size_t but) {
  for (size_t i = 0; i < alternatives.size(); ++i) {
    if (i == but) continue;
    try {
      absorb_not(shapes, schema, alternatives[i]);
    } catch (const Error& error) {
      if (error.code() != Code::invalid_argument) throw;
      document_.refuse(*schema, "oneOf",
                       "a value could fit two alternatives, which cannot be ruled out",
                       "use anyOf, or let the alternatives differ in a required property's const");
    }
    std::erase_if(shapes, [](const Shape& shape) { return shape.types == 0; });
    check_combinations(shapes.size(), schema, "oneOf");
  }
}

// A schema that only the values that do not fit `schema` fit, in terms of what can be written.
json::value ShapeReader::negated(Schema schema, int depth) {
  constexpr int64_t kSteps = 64;  // in memory, what is made here is like so many bytes of a text
  x_.spend(kSteps);
  if (schema->is_bool()) return !schema->get_bool();
  const auto* object = schema->if_object();
  if (object == nullptr || depth > kMaxRuleDepth) document_.refuse(*schema, "", "not a schema");
  json::array parts;
  json::object plain;  // words that are taken back together
  for (const auto& [key, value] : *object) {
    if (key == "properties" && value.is_object()) {
      for (const auto& [name, part] : value.get_object()) {
        parts.push_back(with_name(name, negated(&part, depth + 1)));
      }
    } else if (key == "required" && value.is_array()) {
      for (const json::value& name : value.get_array()) {
        if (!name.is_string()) document_.refuse(*schema, key, "required must be a list of names");
        parts.push_back(without_name(name.get_string()));
      }
    } else if (key == "not") {
      parts.push_back(document_.copy(key, value));
    } else if (key == "anyOf" || key == "allOf") {
      json::array inner;
      for (const Schema part : schemas_in(schema, key, value)) {
        inner.push_back(negated(part, depth + 1));
      }
      parts.push_back(json::object{{key == "anyOf" ? "allOf" : "anyOf", std::move(inner)}});
    } else if (key == "$ref" && value.is_string()) {
      const std::string_view to(value.get_string());
      parts.push_back(negated(&document_.resolve(*schema, to), depth + 1));
    } else if (key == "$dynamicRef" && value.is_string()) {
      const std::string_view to(value.get_string());
      parts.push_back(negated(&document_.resolve_dynamic(*schema, to), depth + 1));
    } else {
      plain[key] = document_.copy(key, value);
    }
  }
  if (!allows_all(keep(plain))) parts.push_back(json::object{{"not", std::move(plain)}});
  if (parts.empty()) return false;
  return json::object{{"anyOf", std::move(parts)}};
}

Schema ShapeReader::opposite(Schema schema) {
  Schema& known = opposites_[schema];
  if (known == nullptr) known = keep(negated(schema, 0));
  return known;
}

void ShapeReader::absorb_not(Shapes& shapes, Schema schema, Schema what) {
  const auto* object = what->if_object();
  const auto says = [&](std::string_view key) {
    return object != nullptr && object->contains(key);
  };
  if (what->is_bool() || says("properties") || says("required") || says("not") || says("anyOf") ||
      says("allOf") || says("$ref") || says("$dynamicRef") || allows_all(what)) {
    return absorb_silently(shapes, opposite(what));
  }
  Shapes alone(1);
  absorb(alone, what);
  int types = kAllTypes;
  for (const Shape& shape : alone) {
    int possible = shape.types;
    if (shape.values) {
      int given = 0;
      for (const Schema value : *shape.values) given |= type_of(*value);
      possible &= given;
    }
    const bool objects = (possible & kObject) != 0;
    const bool arrays = (possible & kArray) != 0;
    if ((objects && shape.says_of_objects()) || (arrays && shape.says_of_arrays()) ||
        ((objects || arrays) && shape.values)) {
      document_.refuse(*schema, "not", "this is not honoured of objects and arrays");
    }
    if (objects) types &= ~kObject;
    if (arrays) types &= ~kArray;
  }
  const ExprId text = scalars_but(scalars_of(alone));
  for (Shape& shape : shapes) {
    shape.types &= types;
    shape.scalars.push_back(text);
  }
}

void ShapeReader::absorb_condition(Shapes& shapes, Schema schema, const json::value& condition) {
  const auto* object = schema->if_object();
  const json::value* then = object->if_contains("then");
  const json::value* otherwise = object->if_contains("else");
  if (then == nullptr && otherwise == nullptr) return;
  Shapes some = shapes;
  ++conditions_;
  absorb(some, &condition);
  --conditions_;
  if (then != nullptr) absorb(some, then);
  Shapes others = shapes;
  absorb_silently(others, opposite(&condition));
  if (otherwise != nullptr) absorb(others, otherwise);
  some.insert(some.end(), others.begin(), others.end());
  check_combinations(some.size(), schema, "if");
  shapes = std::move(some);
}

void ShapeReader::suppose(Shapes& shapes, const std::string& name) {
  std::vector<bool> required;
  for (const Shape& shape : shapes) {
    required.push_back(shape.required.contains(name) && !shape.supposed.contains(name));
  }
  absorb_silently(shapes, keep(with_name(name, true)));
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (!required[i]) shapes[i].supposed.insert(name);
  }
}

// A name that is there asks for a schema, or (in older drafts) for other names.
bool ShapeReader::absorb_dependents(Shapes& shapes, Schema schema, const json::value& value) {
  if (!value.is_object()) document_.refuse(*schema, "dependentSchemas", "it must be an object");
  for (const auto& [name, part] : value.get_object()) {
    if (part.is_array()) {
      std::vector<std::string> names;
      for (const json::value& other : part.get_array()) {
        if (!other.is_string()) document_.refuse(*schema, "dependencies", "names are strings");
        names.emplace_back(other.get_string());
      }
      for (Shape& shape : shapes) shape.dependents.emplace_back(name, names);
      continue;
    }
    Shapes without = shapes;
    json::value absent = without_name(name);
    absent.get_object().erase("type");
    absorb_silently(without, keep(std::move(absent)));
    Shapes with = shapes;
    suppose(with, std::string(name));
    absorb(with, &part);
    with.insert(with.end(), without.begin(), without.end());
    check_combinations(with.size(), schema, "dependentSchemas");
    shapes = std::move(with);
  }
  return true;
}

}  // namespace strata::inference
