#include "api/dialect/function_tool.h"
#include "api/dialect/openai/request_parts.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

using models::ToolChoice;

// The name in {"type": "function", "function": {"name": …}}; must be one of the tools'.
std::string read_named(Fields& named, const json::array& tools) {
  const std::string type = named.text("type").value_or("function");
  if (type != "function") {
    named.fail("type", fmt::format("is '{}', which is not supported", type.substr(0, 40)),
               std::string(kCustomToolHint));
  }
  auto function = named.object("function");
  if (!function) named.fail("function", "is missing");
  const std::string name = function->required_text("name");
  if (!has_tool(tools, name)) function->fail("name", "is none of the tools' names");
  function->refuse_unread();
  named.refuse_unread();
  return name;
}

ToolChoice::Mode read_mode(Fields& fields, std::string_view key) {
  const std::string mode = fields.required_text(key);
  if (mode == "auto") return ToolChoice::Mode::automatic;
  if (mode == "required") return ToolChoice::Mode::required;
  if (mode == "none" && key == "tool_choice") return ToolChoice::Mode::none;
  fields.fail(key, fmt::format("is '{}'; it must be auto, required, none or an object that names "
                               "functions",
                               mode.substr(0, 40)));
}

void read_allowed(Fields& choice, const json::array& tools, ToolChoice& read) {
  auto allowed = choice.object("allowed_tools");
  if (!allowed) choice.fail("allowed_tools", "is missing");
  read.mode = read_mode(*allowed, "mode");
  const auto list = allowed->array("tools", kMaxTools);
  if (list.empty()) allowed->fail("tools", "must name at least one tool");
  for (size_t i = 0; i < list.size(); ++i) {
    Fields named(list[i], fmt::format("{}[{}]", allowed->path("tools"), i));
    read.names.push_back(read_named(named, tools));
  }
  allowed->refuse_unread();
  choice.refuse_unread();
}

void read_choice(Fields& fields, const json::array& tools, ToolChoice& read) {
  const json::value* value = fields.get("tool_choice");
  if (!value) return;
  if (!value->is_object()) {
    read.mode = read_mode(fields, "tool_choice");
  } else {
    Fields choice(*value, "tool_choice");
    if (choice.text("type") == "allowed_tools") {
      read_allowed(choice, tools, read);
    } else {
      read.names = {read_named(choice, tools)};
      read.mode = ToolChoice::Mode::required;
    }
  }
  if (tools.empty() && read.mode == ToolChoice::Mode::required) {
    fields.fail("tool_choice", "asks for a call, and there are no tools");
  }
}

// The forms before there were tools.
void read_functions(Fields& fields, ChatRequest& request) {
  const auto list = fields.array("functions", kMaxTools);
  for (size_t i = 0; i < list.size(); ++i) {
    add_chat_function(Fields(list[i], fmt::format("functions[{}]", i)), request.conversation);
  }
  const json::value* value = fields.get("function_call");
  if (value && value->is_object()) {
    const json::object wrapped{{"type", "function"}, {"function", *value}};
    const json::value named(wrapped);
    Fields choice(named, "function_call");
    request.tool_choice.names = {read_named(choice, request.conversation.tools)};
    request.tool_choice.mode = ToolChoice::Mode::required;
  } else if (value) {
    const std::string mode = fields.required_text("function_call");
    if (mode == "none") request.tool_choice.mode = ToolChoice::Mode::none;
    if (mode != "none" && mode != "auto") {
      fields.fail("function_call", "must be none, auto or {\"name\": …}");
    }
  }
  request.tool_choice.parallel = false;  // an answer of that form has room for one
}

}  // namespace

bool read_tools(Fields& fields, ChatRequest& request) {
  const bool old_form = fields.has("functions") || fields.has("function_call");
  if (old_form && (fields.has("tools") || fields.has("tool_choice"))) {
    fields.fail("functions", "and tools are both there", "send tools and tool_choice only");
  }
  if (old_form) {
    read_functions(fields, request);
  } else {
    add_chat_tools(fields, request.conversation);
    read_choice(fields, request.conversation.tools, request.tool_choice);
  }
  if (const auto parallel = fields.boolean("parallel_tool_calls"); parallel && !old_form) {
    request.tool_choice.parallel = *parallel;
  }
  return old_form;
}

}  // namespace strata::api::openai
