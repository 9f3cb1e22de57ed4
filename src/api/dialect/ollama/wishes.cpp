// What a request to /api/chat or /api/generate says about how to answer: whether to think, which
// tools may be called, what the text has to match.
#include <algorithm>
#include <array>

#include "api/dialect/ollama/ollama.h"
#include "api/limits.h"

namespace strata::api::ollama {
namespace {

constexpr std::array<std::string_view, 3> kLevels{"low", "medium", "high"};

// The function of a tool, as templates read it. What stands beside these fields is passed on too:
// some models' templates know more.
void check_tool(const json::value& value, const std::string& path) {
  Fields tool(value, path);
  if (const auto type = tool.text("type"); type && *type != "function") {
    tool.fail("type", fmt::format("is '{}', it must be function", type->substr(0, 40)));
  }
  auto function = tool.object("function");
  if (!function) tool.fail("function", "is missing");
  function->required_text("name");
  function->text("description");
  function->object("parameters");
}

}  // namespace

void read_think(Fields& fields, ChatRequest& request) {
  const json::value* think = fields.get("think");
  if (think == nullptr) return;
  if (think->is_bool()) {
    request.reasoning.think = think->get_bool();
    return;
  }
  const std::string level = think->is_string() ? std::string(think->get_string()) : std::string();
  if (std::ranges::find(kLevels, level) == kLevels.end()) {
    fields.fail("think", "must be true, false, \"low\", \"medium\" or \"high\"");
  }
  request.reasoning.think = true;
  request.reasoning.effort = level;
}

void read_tools(Fields& fields, ChatRequest& request) {
  const auto tools = fields.array("tools", kMaxTools);
  for (size_t i = 0; i < tools.size(); ++i) {
    check_tool(tools[i], fmt::format("tools[{}]", i));
    request.conversation.tools.push_back(tools[i]);
    // Templates tell tools by their type, which this interface lets out.
    request.conversation.tools.back().as_object().emplace("type", "function");
  }
}

void read_format(Fields& fields, ChatRequest& request) {
  using Kind = inference::OutputRule::Kind;
  const json::value* format = fields.get("format");
  if (format == nullptr || *format == "") return;
  if (format->is_object()) {
    request.output.kind = Kind::json_schema;
    request.output.schema = *format;
  } else if (*format == "json") {
    request.output.kind = Kind::json_object;
  } else {
    fields.fail("format", "must be \"json\" or a JSON schema");
  }
}

}  // namespace strata::api::ollama
