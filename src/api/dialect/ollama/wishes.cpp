// What a request to /api/chat or /api/generate says about how to answer: whether to think, which
// tools may be called, what the text has to match.
#include <algorithm>
#include <array>

#include "api/dialect/function_tool.h"
#include "api/dialect/ollama/ollama.h"

namespace strata::api::ollama {
namespace {

constexpr std::array<std::string_view, 3> kLevels{"low", "medium", "high"};

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
  add_chat_tools(fields, request.conversation, TypeOfTool::optional);
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
