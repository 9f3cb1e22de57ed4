#include "api/dialect/function_tool.h"
#include "api/dialect/responses/responses.h"

namespace strata::api::responses {
namespace {

// Functions are called by the model alone, which knows all of them from the first token on.
void refuse_other_callers(Fields& tool) {
  for (const json::value& caller : tool.array("allowed_callers", 8)) {
    if (caller != "direct") tool.fail("allowed_callers", "must be direct: others are not built");
  }
  for (const char* name : {"async", "defer_loading"}) {
    if (tool.boolean(name).value_or(false)) tool.fail(name, "is true, which is not built");
  }
}

// Adds OpenAI's tool to the conversation; returns what the response's record says of it.
json::object read_tool(Fields& tool, models::Conversation& conversation) {
  const std::string type = tool.required_text("type");
  if (type != "function") {
    refuse_tool(tool, type, fmt::format("is '{}', which is not built", type.substr(0, 40)));
  }
  refuse_other_form(tool, ToolForm::responses);
  FunctionTool read;
  read.name = tool.required_text("name");
  read.description = tool.text("description");
  if (tool.object("parameters")) read.schema = tool.get("parameters");
  read.strict = tool.boolean("strict");
  refuse_other_callers(tool);
  if (tool.object("output_schema")) read.output_schema = tool.get("output_schema");
  tool.refuse_unread();
  add_function_tool(tool, read, conversation);
  json::object mirror{{"type", "function"}, {"name", read.name}};
  mirror["parameters"] = read.schema ? *read.schema : json::value(nullptr);
  mirror["description"] =
      read.description ? json::value(json::string(*read.description)) : json::value(nullptr);
  mirror["strict"] = read.strict ? json::value(*read.strict) : json::value(nullptr);
  return mirror;
}

void read_list(Fields& fields, Ask& ask) {
  json::array mirror;
  size_t i = 0;
  for (const json::value& each : fields.array("tools", kMaxTools)) {
    Fields tool(each, fmt::format("tools[{}]", i++));
    mirror.push_back(read_tool(tool, ask.chat.conversation));
  }
  ask.mirror["tools"] = std::move(mirror);
}

std::string chosen_name(Fields& choice, const json::array& tools) {
  if (const std::string type = choice.required_text("type"); type != "function") {
    refuse_tool(choice, type, "names a tool that is not built");
  }
  const std::string name = choice.required_text("name");
  if (!has_tool(tools, name)) choice.fail("name", "is none of the request's tools");
  return name;
}

models::ToolChoice::Mode read_mode(Fields& fields, std::string_view key, std::string_view text) {
  using Mode = models::ToolChoice::Mode;
  if (text == "auto") return Mode::automatic;
  if (text == "required") return Mode::required;
  if (text == "none") return Mode::none;
  fields.fail(key, "must be none, auto, required, or an object");
}

void read_choice(Fields& fields, Ask& ask) {
  models::ToolChoice& wanted = ask.chat.tool_choice;
  wanted.parallel = fields.boolean("parallel_tool_calls").value_or(true);
  ask.mirror["parallel_tool_calls"] = wanted.parallel;
  const json::value* value = fields.get("tool_choice");
  ask.mirror["tool_choice"] = value ? *value : json::value("auto");
  if (!value) return;
  const json::array& tools = ask.chat.conversation.tools;
  if (value->is_string()) {
    wanted.mode = read_mode(fields, "tool_choice", value->get_string());
  } else if (Fields choice(*value, "tool_choice");
             choice.required_text("type") == "allowed_tools") {
    wanted.mode = read_mode(choice, "mode", choice.required_text("mode"));
    for (const json::value& each : choice.array("tools", kMaxTools)) {
      Fields tool(each, "tool_choice.tools[]");
      wanted.names.push_back(chosen_name(tool, tools));
    }
    if (wanted.names.empty()) choice.fail("tools", "must name at least one tool");
    choice.refuse_unread();
  } else {
    wanted.mode = models::ToolChoice::Mode::required;
    wanted.names = {chosen_name(choice, tools)};
    choice.refuse_unread();
  }
  if (wanted.mode == models::ToolChoice::Mode::required && tools.empty()) {
    fields.fail("tool_choice", "asks for a call and the request has no tools");
  }
}

}  // namespace

void refuse_tool(const Fields& fields, std::string_view type, const std::string& what) {
  const std::string hint = "use tools of the type function, which your program runs itself";
  if (type.starts_with("mcp") || type.starts_with("file_search")) {
    refuse_unbuilt(fmt::format("{} {}", fields.path("type"), what), hint);
  }
  fields.fail("type", what, hint);
}

void read_tools(Fields& fields, Ask& ask) {
  read_list(fields, ask);
  read_choice(fields, ask);
  ask.chat.call_fragments = true;
}

}  // namespace strata::api::responses
