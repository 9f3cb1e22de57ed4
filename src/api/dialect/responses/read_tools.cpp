#include <algorithm>

#include "api/dialect/responses/responses.h"

namespace strata::api::responses {
namespace {

constexpr size_t kMaxToolNameBytes = 128;

// Functions are called by the model alone, which knows all of them from the first token on.
void refuse_other_callers(Fields& tool) {
  for (const json::value& caller : tool.array("allowed_callers", 8)) {
    if (caller != "direct") tool.fail("allowed_callers", "must be direct: others are not built");
  }
  for (const char* name : {"async", "defer_loading"}) {
    if (tool.boolean(name).value_or(false)) tool.fail(name, "is true, which is not built");
  }
}

// OpenAI's tool → the tool as templates see it.
json::object read_tool(Fields& tool, json::object& function) {
  const std::string type = tool.required_text("type");
  if (type != "function") {
    refuse_unbuilt(
        fmt::format("{} is '{}', which is not built", tool.path("type"), type.substr(0, 40)),
        "use tools of the type function, which your program runs itself");
  }
  const std::string name = tool.required_text("name");
  if (name.size() > kMaxToolNameBytes) {
    tool.fail("name", fmt::format("has {} bytes, the limit is {}", name.size(), kMaxToolNameBytes));
  }
  const auto description = tool.text("description");
  const bool has_parameters = tool.object("parameters").has_value();
  const json::value parameters = has_parameters ? *tool.get("parameters") : json::value(nullptr);
  const auto strict = tool.boolean("strict");
  refuse_other_callers(tool);
  const auto output = tool.object("output_schema");
  tool.refuse_unread();
  function = {{"name", name}};
  if (description) function["description"] = *description;
  if (has_parameters) function["parameters"] = parameters;
  if (strict) function["strict"] = *strict;
  if (output) function["output_schema"] = *tool.get("output_schema");  // for templates that know it
  json::object mirror{{"type", "function"}, {"name", name}, {"parameters", parameters}};
  mirror["description"] = description ? json::value(json::string(*description)) : nullptr;
  mirror["strict"] = strict ? json::value(*strict) : nullptr;
  return mirror;
}

void read_list(Fields& fields, Ask& ask) {
  json::array mirror;
  size_t i = 0;
  for (const json::value& each : fields.array("tools", kMaxTools)) {
    Fields tool(each, fmt::format("tools[{}]", i++));
    json::object function;
    mirror.push_back(read_tool(tool, function));
    ask.chat.conversation.tools.push_back(
        {{"type", "function"}, {"function", std::move(function)}});
  }
  ask.mirror["tools"] = std::move(mirror);
}

std::string chosen_name(Fields& choice, const json::array& tools) {
  if (choice.required_text("type") != "function") {
    refuse_unbuilt(fmt::format("{} names a tool that is not built", choice.path("type")),
                   "choose tools of the type function");
  }
  const std::string name = choice.required_text("name");
  const bool known = std::ranges::any_of(tools, [&](const json::value& tool) {
    return tool.at("function").at("name") == json::string(name);
  });
  if (!known) choice.fail("name", "is none of the request's tools");
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

void read_tools(Fields& fields, Ask& ask) {
  read_list(fields, ask);
  read_choice(fields, ask);
  ask.chat.call_fragments = true;
}

}  // namespace strata::api::responses
