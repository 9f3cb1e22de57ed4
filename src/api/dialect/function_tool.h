// Tools that a request describes, in the one shape that templates and parsers read.
#pragma once

#include <string>
#include <string_view>

#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api {

// Adds {"type": "function", "function": {"name", "description", "parameters", "strict"}} to the
// conversation's tools; without a schema the function takes nothing that is known. FieldError at
// `tool`'s "name": no name, or that of another tool.
struct FunctionTool {
  std::string name, description;
  const json::value* schema = nullptr;
  bool strict = false;
};
void add_function_tool(const Fields& tool, const FunctionTool& function,
                       models::Conversation& conversation);
bool has_tool(const models::Conversation& conversation, std::string_view name);

}  // namespace strata::api
