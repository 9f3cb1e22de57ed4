#include "api/dialect/function_tool.h"

#include <algorithm>

namespace strata::api {
namespace {

constexpr size_t kMaxNameBytes = 128;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
  });
}

}  // namespace

void add_function_tool(const Fields& tool, const FunctionTool& function,
                       models::Conversation& conversation) {
  if (!is_name(function.name)) {
    tool.fail("name",
              fmt::format("must be 1 to {} letters, digits, '_', '-', '.' and ':'", kMaxNameBytes));
  }
  if (has_tool(conversation, function.name)) {
    tool.fail("name", fmt::format("is '{}', as that of another tool", function.name),
              "give each tool a name of its own");
  }
  json::object read{{"name", function.name}};
  if (!function.description.empty()) read["description"] = function.description;
  if (function.schema != nullptr) read["parameters"] = *function.schema;
  if (function.strict) read["strict"] = true;
  conversation.tools.push_back(json::object{{"type", "function"}, {"function", std::move(read)}});
}

bool has_tool(const models::Conversation& conversation, std::string_view name) {
  return std::ranges::any_of(conversation.tools, [&](const json::value& tool) {
    return tool.at("function").at("name").as_string() == name;
  });
}

}  // namespace strata::api
