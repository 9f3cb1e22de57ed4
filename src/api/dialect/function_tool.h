// Tools that a request describes, in the one shape that templates and parsers read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api {

struct FunctionTool {
  std::string name;
  std::optional<std::string> description;
  const json::value* schema = nullptr;  // without one the function takes nothing that is known
  std::string_view schema_field = "parameters";
  std::optional<bool> strict;
  const json::value* output_schema = nullptr;  // for templates that know it
};
// Adds {"type": "function", "function": {"name", "description", "parameters", "strict",
// "output_schema"}} to the conversation's tools, of these what there is, as the caller wrote it:
// templates show it to the model. FieldError at `tool`'s "name": no name, or that of another tool;
// at its schema's field: no object fits it.
void add_function_tool(const Fields& tool, const FunctionTool& function,
                       models::Conversation& conversation);
// How interfaces write a function that the model may call.
enum class ToolForm { chat, responses, anthropic };
// Does nothing with a tool that has none of the other forms' own fields; else FieldError that says
// how it is written here.
void refuse_other_form(const Fields& tool, ToolForm here);

constexpr std::string_view kCustomToolHint =
    "send a function with one string parameter: its arguments are that text";
// Ollama's interface lets it out.
enum class TypeOfTool { required, optional };
// Adds "tools" in OpenAI's form for chats, at most kMaxTools.
void add_chat_tools(Fields& fields, models::Conversation& conversation,
                    TypeOfTool type = TypeOfTool::required);
// One in the form before there were tools: the object "function" alone.
void add_chat_function(Fields function, models::Conversation& conversation);
bool has_tool(const json::array& tools, std::string_view name);

}  // namespace strata::api
