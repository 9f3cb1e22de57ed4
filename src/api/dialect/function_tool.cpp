#include "api/dialect/function_tool.h"

#include <algorithm>
#include <array>

#include "api/limits.h"
#include "core/ascii.h"
#include "models/chat/output/tool_set.h"

namespace strata::api {
namespace {

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxToolNameBytes && std::ranges::all_of(name, [](char c) {
    return is_ascii_alnum(c) || c == '_' || c == '-' || c == '.' || c == ':';
  });
}

struct FormText {
  ToolForm form;
  std::string_view own_field;  // that only this form has
  std::string_view whose, written;
};
constexpr std::array<FormText, 3> kForms{{
    {ToolForm::chat, "function", "OpenAI's chat completions have",
     R"({"type": "function", "function": {"name": …, "description": …, "parameters": …}})"},
    {ToolForm::anthropic, "input_schema", "Anthropic's messages have",
     R"({"name": …, "description": …, "input_schema": …})"},
    {ToolForm::responses, "parameters", "OpenAI's responses have",
     R"({"type": "function", "name": …, "description": …, "parameters": …})"},
}};

void add_chat_tool(Fields tool, models::Conversation& conversation, TypeOfTool needed) {
  refuse_other_form(tool, ToolForm::chat);
  const bool told = needed == TypeOfTool::required || tool.has("type");
  const std::string type = told ? tool.required_text("type") : "function";
  if (type != "function") {
    tool.fail("type", fmt::format("is '{}', which is not supported", type.substr(0, 40)),
              std::string(kCustomToolHint));
  }
  auto function = tool.object("function");
  if (!function) tool.fail("function", "is missing");
  tool.refuse_unread();
  // Ollama's library for JavaScript lets it stand there, too.
  if (needed == TypeOfTool::optional) function->text("type");
  add_chat_function(std::move(*function), conversation);
}

}  // namespace

void refuse_other_form(const Fields& tool, ToolForm here) {
  const auto given =
      std::ranges::find_if(kForms, [&](const FormText& each) { return tool.has(each.own_field); });
  if (given == kForms.end() || given->form == here) return;
  const auto wanted = std::ranges::find(kForms, here, &FormText::form);
  tool.fail(given->own_field, fmt::format("is how {} it", given->whose),
            fmt::format("write it as {}", wanted->written));
}

void add_function_tool(const Fields& tool, const FunctionTool& function,
                       models::Conversation& conversation) {
  if (!is_name(function.name)) {
    tool.fail("name", fmt::format("must be letters, digits, '_', '-', '.' and ':', 1 to {} of them",
                                  kMaxToolNameBytes));
  }
  if (has_tool(conversation.tools, function.name)) {
    tool.fail("name", fmt::format("is '{}', as that of another tool", function.name),
              "give each tool a name of its own");
  }
  if (function.schema != nullptr && !models::may_be_object(*function.schema)) {
    tool.fail(function.schema_field, "must be a schema of objects: a call's arguments are one",
              R"(write it as {"type": "object", "properties": {…}})");
  }
  json::object read{{"name", function.name}};
  if (function.description) read["description"] = *function.description;
  if (function.schema != nullptr) read["parameters"] = *function.schema;
  if (function.strict) read["strict"] = *function.strict;
  if (function.output_schema != nullptr) read["output_schema"] = *function.output_schema;
  conversation.tools.push_back(json::object{{"type", "function"}, {"function", std::move(read)}});
}

void add_chat_function(Fields function, models::Conversation& conversation) {
  FunctionTool read;
  read.name = function.required_text("name");
  read.description = function.text("description");
  read.schema = function.get("parameters");
  if (read.schema != nullptr && !read.schema->is_object()) {
    function.fail("parameters", "must be a JSON schema, an object");
  }
  read.strict = function.boolean("strict");
  function.refuse_unread();
  add_function_tool(function, read, conversation);
}

void add_chat_tools(Fields& fields, models::Conversation& conversation, TypeOfTool type) {
  const auto list = fields.array("tools", kMaxTools);
  for (size_t i = 0; i < list.size(); ++i) {
    add_chat_tool(Fields(list[i], fmt::format("tools[{}]", i)), conversation, type);
  }
}

bool has_tool(const json::array& tools, std::string_view name) {
  return std::ranges::any_of(tools, [&](const json::value& tool) {
    return tool.at("function").at("name").as_string() == name;
  });
}

}  // namespace strata::api
