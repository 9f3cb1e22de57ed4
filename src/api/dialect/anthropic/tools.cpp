// "tools" and "tool_choice".
#include "api/dialect/anthropic/anthropic.h"
#include "api/dialect/function_tool.h"

namespace strata::api::anthropic {
namespace {

using models::ToolChoice;

constexpr size_t kMaxTools = 512;
constexpr size_t kMaxExamples = 64;
constexpr size_t kMaxCallers = 16;

// Examples are said in words: that is how a model learns of them.
std::optional<std::string> with_examples(std::optional<std::string> description,
                                         std::span<const json::value> examples) {
  for (const json::value& example : examples) {
    description = fmt::format("{}Example of its input: {}", description ? *description + "\n" : "",
                              to_json(example));
  }
  return description;
}

void read_callers(Fields& tool) {
  const auto callers = tool.texts("allowed_callers", kMaxCallers, 64);
  if (!callers) return;
  for (const std::string& each : *callers) {
    if (each == "direct") return;
  }
  tool.fail("allowed_callers", "must have \"direct\": only the model calls tools here");
}

void read_tool(Fields tool, ChatRequest& request, Marks& marks) {
  refuse_other_form(tool, ToolForm::anthropic);
  const std::string type = tool.text("type").value_or("custom");
  if (type != "custom") {
    tool.fail("type",
              fmt::format("is '{}': tools that run at Anthropic, or that its models know without "
                          "a schema, are not here",
                          type.substr(0, 40)),
              "describe a tool of your own with name, description and input_schema");
  }
  FunctionTool function;
  function.name = tool.required_text("name");
  function.schema_field = "input_schema";
  function.schema = tool.get(function.schema_field);
  if (function.schema == nullptr || !function.schema->is_object()) {
    tool.fail("input_schema", "must be a JSON schema, an object");
  }
  function.description =
      with_examples(tool.text("description"), tool.array("input_examples", kMaxExamples));
  function.strict = tool.boolean("strict");
  tool.boolean("eager_input_streaming");  // arguments are always streamed as they come
  read_callers(tool);
  read_cache_control(tool, marks);
  if (tool.boolean("defer_loading").value_or(false)) {
    tool.fail("defer_loading", "must be false: there is no search that would load it later");
  }
  tool.refuse_unread();
  add_function_tool(tool, function, request.conversation);
}

void read_choice(Fields& choice, ChatRequest& request) {
  ToolChoice& read = request.tool_choice;
  const std::string type = choice.required_text("type");
  if (type == "any" || type == "tool") {
    read.mode = ToolChoice::Mode::required;
  } else if (type == "none") {
    read.mode = ToolChoice::Mode::none;
  } else if (type != "auto") {
    choice.fail("type", "must be auto, any, tool or none");
  }
  if (type == "tool") {
    read.names = {choice.required_text("name")};
    if (!has_tool(request.conversation.tools, read.names.front())) {
      choice.fail("name", "is none of the tools' names");
    }
  }
  if (type != "none") {
    read.parallel = !choice.boolean("disable_parallel_tool_use").value_or(false);
  }
  choice.refuse_unread();
}

}  // namespace

void read_tools(Fields& fields, ChatRequest& request, Marks& marks) {
  const auto tools = fields.array("tools", kMaxTools);
  for (size_t i = 0; i < tools.size(); ++i) {
    read_tool(Fields(tools[i], fmt::format("tools[{}]", i)), request, marks);
  }
  auto choice = fields.object("tool_choice");
  if (!choice) return;
  read_choice(*choice, request);
  if (tools.empty() && request.tool_choice.mode != ToolChoice::Mode::none) {
    fields.fail("tool_choice", "says how to use tools, and there are none");
  }
}

}  // namespace strata::api::anthropic
