#include "models/chat/output/tool_set.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/error.h"
#include "models/chat/output/json_scan.h"
#include "models/chat/output/limits.h"

namespace strata::models {
namespace {

constexpr int kMaxReferences = 8;  // that follow one another

// The types that a schema allows, by JSON Schema's names. `any`: it does not say.
struct Types {
  bool any = false;
  std::vector<std::string> names = {};
  bool allow(std::string_view name) const {
    return any || std::find(names.begin(), names.end(), name) != names.end();
  }
};

const json::value* resolve(const json::value& root, const json::value* schema) {
  for (int hops = 0; schema != nullptr && schema->is_object() && hops < kMaxReferences; ++hops) {
    const json::value* reference = schema->as_object().if_contains("$ref");
    if (reference == nullptr || !reference->is_string()) return schema;
    const std::string_view text = reference->as_string();
    if (text.empty() || text.front() != '#') return nullptr;
    boost::system::error_code error;
    schema = root.find_pointer(text.substr(1), error);
  }
  return nullptr;
}

void add_type_of(const json::value& value, Types& types) {
  if (value.is_string()) types.names.emplace_back("string");
  if (value.is_number()) types.names.emplace_back("number");
  if (value.is_bool()) types.names.emplace_back("boolean");
  if (value.is_null()) types.names.emplace_back("null");
  if (value.is_object()) types.names.emplace_back("object");
  if (value.is_array()) types.names.emplace_back("array");
}

void collect(const json::value& root, const json::value* schema, int depth, Types& types) {
  schema = resolve(root, schema);
  if (schema == nullptr || !schema->is_object() || depth > kMaxReferences) {
    types.any = true;
    return;
  }
  const json::object& object = schema->as_object();
  if (const json::value* type = object.if_contains("type")) {
    if (type->is_string()) types.names.emplace_back(type->as_string());
    if (type->is_array()) {
      for (const json::value& one : type->as_array()) {
        if (one.is_string()) types.names.emplace_back(one.as_string());
      }
    }
    return;
  }
  if (const json::value* fixed = object.if_contains("const")) return add_type_of(*fixed, types);
  if (const json::value* list = object.if_contains("enum"); list && list->is_array()) {
    for (const json::value& one : list->as_array()) add_type_of(one, types);
    return;
  }
  for (const char* key : {"anyOf", "oneOf"}) {
    const json::value* options = object.if_contains(key);
    if (options == nullptr || !options->is_array()) continue;
    for (const json::value& one : options->as_array()) collect(root, &one, depth + 1, types);
    return;
  }
  types.any = true;
}

Types types_of(const OfferedTool* tool, std::string_view key) {
  if (tool == nullptr || !tool->parameters.is_object()) return {.any = true};
  const json::value* properties = tool->parameters.as_object().if_contains("properties");
  if (properties == nullptr || !properties->is_object()) return {.any = true};
  const json::value* schema = properties->as_object().if_contains(key);
  if (schema == nullptr) return {.any = true};
  Types types;
  collect(tool->parameters, schema, 0, types);
  return types;
}

// A call's arguments are an object, also where their schema leaves that open.
void narrow(json::object& schema) {
  const json::value* type = schema.if_contains("type");
  if (type == nullptr || (type->is_array() && may_be_object(schema))) schema["type"] = "object";
}

std::optional<json::value> value_of(std::string_view text) {
  if (text == "True") return json::value(true);
  if (text == "False") return json::value(false);
  if (text == "None") return json::value(nullptr);
  try {
    return parse_json(text, {.max_bytes = kMaxCallBytes, .max_depth = kMaxCallDepth});
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool fits(const json::value& value, const Types& types) {
  if (value.is_bool()) return types.allow("boolean");
  if (value.is_null()) return types.allow("null");
  if (value.is_object()) return types.allow("object");
  if (value.is_array()) return types.allow("array");
  if (value.is_double()) {
    const double number = value.as_double();
    // 3.0 is an integer to JSON Schema.
    return types.allow("number") ||
           (types.allow("integer") &&
            number == static_cast<double>(static_cast<int64_t>(std::clamp(number, -1e15, 1e15))));
  }
  if (value.is_number()) return types.allow("integer") || types.allow("number");
  return false;
}

// As it was written, where that is JSON already: numbers keep their digits.
std::string spelled(std::string_view text, const json::value& value) {
  const bool python = text == "True" || text == "False" || text == "None";
  return python ? to_json(value) : std::string(text);
}

std::string text_field(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

OfferedTool read_tool(const json::value& tool, size_t index) {
  const json::object* object = tool.if_object();
  if (object != nullptr) {
    if (const json::value* function = object->if_contains("function")) {
      object = function->if_object();
    }
  }
  OfferedTool read;
  if (object != nullptr) {
    read.name = text_field(*object, "name");
    read.description = text_field(*object, "description");
    if (const json::value* schema = object->if_contains("parameters")) read.parameters = *schema;
    const json::value* strict = object->if_contains("strict");
    read.strict = strict != nullptr && strict->is_bool() && strict->get_bool();
  }
  if (!read.parameters.is_object()) read.parameters = json::object{};
  narrow(read.parameters.as_object());
  if (!read.name.empty() && read.name.size() <= kMaxToolNameBytes) return read;
  throw Error(Code::invalid_argument,
              fmt::format("tools[{}]: a tool needs a function's name of 1 to {} bytes", index,
                          kMaxToolNameBytes));
}

}  // namespace

bool may_be_object(const json::value& schema) {
  constexpr std::array<std::string_view, 6> kOthers{"array", "boolean", "integer",
                                                    "null",  "number",  "string"};
  Types types;
  collect(schema, &schema, 0, types);
  return types.any || types.names.empty() ||
         !std::ranges::all_of(types.names, [&](const std::string& name) {
           return std::ranges::find(kOthers, name) != kOthers.end();
         });
}

ToolSet::ToolSet(const json::array& tools, const ToolChoice& choice) {
  std::vector<std::string> missing = choice.names;
  for (size_t i = 0; i < tools.size(); ++i) {
    OfferedTool tool = read_tool(tools[i], i);
    std::erase(missing, tool.name);
    const bool allowed = choice.names.empty() || std::find(choice.names.begin(), choice.names.end(),
                                                           tool.name) != choice.names.end();
    if (allowed) tools_.push_back(std::move(tool));
  }
  if (!missing.empty()) {
    throw Error(Code::invalid_argument,
                fmt::format("tool_choice: \"{}\" is not among the {} tools of the request",
                            missing.front(), tools.size()),
                "name one of tools");
  }
  if (tools_.empty() && choice.mode == ToolChoice::Mode::required) {
    throw Error(Code::invalid_argument,
                "tool_choice: a call is required, but the request has no tools", "send tools");
  }
  if (choice.mode == ToolChoice::Mode::none) tools_.clear();
}

const OfferedTool* ToolSet::find(std::string_view name) const {
  const auto found = std::find_if(tools_.begin(), tools_.end(),
                                  [&](const auto& tool) { return tool.name == name; });
  return found == tools_.end() ? nullptr : &*found;
}

ToolSet ToolSet::only(size_t index) const {
  ToolSet one;
  one.tools_.push_back(tools_[index]);
  return one;
}

bool ToolSet::allows_text(std::string_view tool, std::string_view key) const {
  return types_of(find(tool), key).allow("string");
}

bool ToolSet::allows_other(std::string_view tool, std::string_view key) const {
  const Types types = types_of(find(tool), key);
  return types.any || std::any_of(types.names.begin(), types.names.end(),
                                  [](const std::string& name) { return name != "string"; });
}

void ToolSet::loosen(size_t index) {
  tools_[index].parameters = json::object{{"type", "object"}};
}

std::string ToolSet::argument(std::string_view tool, std::string_view key,
                              std::string_view text) const {
  const Types types = types_of(find(tool), key);
  const std::string_view bare = trimmed(text);
  const auto value = value_of(bare);
  // A quoted text is text, quotes and all; only an untyped one may be a JSON string.
  if (value && !value->is_string() && fits(*value, types)) return spelled(bare, *value);
  return json_quote(text);
}

std::string json_or_text(std::string_view text) {
  const std::string_view bare = trimmed(text);
  const auto value = value_of(bare);
  return value ? spelled(bare, *value) : json_quote(text);
}

}  // namespace strata::models
