// Gemini's schemas (OpenAPI 3.0's, with types in capitals) as JSON schemas.
#include <algorithm>
#include <array>
#include <charconv>

#include "api/dialect/gemini/gemini.h"
#include "core/ascii.h"

namespace strata::api::gemini {
namespace {

constexpr size_t kMaxMembers = 4096;

// Key, and the key of a JSON schema, of what is taken as it is.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSame{{
    {"title", "title"},
    {"description", "description"},
    {"default", "default"},
    {"pattern", "pattern"},
    {"minimum", "minimum"},
    {"maximum", "maximum"},
    {"required", "required"},
    {"enum", "enum"},
}};
// 64-bit integers, which protobuf writes as texts.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kCounts{{
    {"minItems", "min_items"},
    {"maxItems", "max_items"},
    {"minLength", "min_length"},
    {"maxLength", "max_length"},
    {"minProperties", "min_properties"},
    {"maxProperties", "max_properties"},
}};

// A field under either of its two names.
const json::value* get_either(Fields& fields, std::string_view key, std::string_view other) {
  const json::value* value = fields.get(key);
  return value != nullptr ? value : fields.get(other);
}

int64_t count_of(Fields& fields, std::string_view key, const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (const json::string* text = value.if_string()) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
    if (error == std::errc() && end == text->data() + text->size()) return count;
  }
  fields.fail(key, "must be an integer");
}

std::string type_of(Fields& fields) {
  std::string type = lower_case(fields.text("type").value_or(""));
  static constexpr std::array<std::string_view, 9> kTypes{
      "", "type_unspecified", "string", "number", "integer", "boolean", "array", "object", "null"};
  if (std::ranges::find(kTypes, type) == kTypes.end()) {
    fields.fail("type", "must be STRING, NUMBER, INTEGER, BOOLEAN, ARRAY, OBJECT or NULL");
  }
  return type == "type_unspecified" ? std::string() : type;
}

// In the order of propertyOrdering, then as they were sent.
json::object read_properties(Fields& fields) {
  json::object read;
  auto properties = fields.object("properties");
  static const json::object kNone;
  const json::object& given = properties ? fields.get("properties")->get_object() : kNone;
  const auto add = [&](std::string_view name, const json::value& schema) {
    if (!read.contains(name)) read[name] = json_schema(schema, properties->path(name));
  };
  const std::string_view key =
      fields.has("propertyOrdering") ? "propertyOrdering" : "property_ordering";
  const auto order = fields.texts(key, kMaxMembers, 1024).value_or(std::vector<std::string>{});
  for (size_t i = 0; i < order.size(); ++i) {
    const json::value* schema = given.if_contains(order[i]);
    if (schema == nullptr) fields.fail(fmt::format("{}[{}]", key, i), "is none of the properties");
    add(order[i], *schema);
  }
  for (const auto& member : given) add(member.key(), member.value());
  return read;
}

json::array read_any_of(Fields& fields) {
  json::array read;
  const std::string_view key = fields.has("anyOf") ? "anyOf" : "any_of";
  const auto schemas = fields.array(key, kMaxMembers);
  for (size_t i = 0; i < schemas.size(); ++i) {
    read.push_back(json_schema(schemas[i], fmt::format("{}[{}]", fields.path(key), i)));
  }
  return read;
}

void read_definitions(Fields& fields, json::object& read) {
  const json::value* definitions = get_either(fields, "defs", "$defs");
  if (definitions == nullptr) return;
  if (!definitions->is_object()) fields.fail("defs", "must be an object");
  json::object schemas;
  for (const auto& member : definitions->get_object()) {
    const std::string path = fmt::format("{}.{}", fields.path("defs"), std::string(member.key()));
    schemas[member.key()] = json_schema(member.value(), path);
  }
  read["$defs"] = std::move(schemas);
}

void read_references(Fields& fields, json::object& read) {
  read_definitions(fields, read);
  if (const json::value* reference = get_either(fields, "ref", "$ref")) {
    if (!reference->is_string()) fields.fail("ref", "must be a string");
    read["$ref"] = *reference;
  }
  const json::value* others = get_either(fields, "additionalProperties", "additional_properties");
  if (others == nullptr) return;
  read["additionalProperties"] =
      others->is_bool() ? *others : json_schema(*others, fields.path("additionalProperties"));
}

}  // namespace

json::value json_schema(const json::value& schema, const std::string& path) {
  Fields fields(schema, path);
  json::object read;
  const std::string type = type_of(fields);
  const bool nullable = fields.boolean("nullable").value_or(false);
  if (!type.empty()) read["type"] = type;
  if (!type.empty() && nullable) read["type"] = json::array{json::string(type), "null"};
  for (const auto& [key, other] : kSame) {
    if (const json::value* value = fields.get(key)) read[other] = *value;
  }
  if (nullable && read.contains("enum") && read["enum"].is_array()) {
    read["enum"].get_array().push_back(nullptr);
  }
  for (const auto& [key, other] : kCounts) {
    if (const json::value* value = get_either(fields, key, other)) {
      read[key] = count_of(fields, key, *value);
    }
  }
  // "enum" says only that there is one.
  if (const auto format = fields.text("format"); format && *format != "enum") {
    read["format"] = *format;
  }
  if (const json::value* example = fields.get("example")) read["examples"] = json::array{*example};
  if (const json::value* items = fields.get("items")) {
    read["items"] = json_schema(*items, fields.path("items"));
  }
  if (auto properties = read_properties(fields); !properties.empty()) {
    read["properties"] = std::move(properties);
  }
  if (auto any_of = read_any_of(fields); !any_of.empty()) {
    if (nullable && type.empty()) any_of.push_back(json::object{{"type", "null"}});
    read["anyOf"] = std::move(any_of);
  }
  read_references(fields, read);
  fields.refuse_unread();
  return read;
}

}  // namespace strata::api::gemini
