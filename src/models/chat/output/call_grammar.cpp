#include "models/chat/output/call_grammar.h"

#include "core/json.h"

namespace strata::models {
namespace {

constexpr std::string_view kSpace = "WS: /[ \\n]{0,2}/\n";

// A JSON string as a text of Lark's.
std::string lark_text(std::string_view text) {
  return json_quote(json_quote(text));
}

std::string call_of(const OfferedTool& tool, const CallKeys& keys) {
  std::string rule = "\"{\" WS ";
  if (!keys.id.empty()) {
    rule += lark_text(keys.id) + " WS \":\" WS /\"[0-9]{1,3}\"/ WS \",\" WS ";
  }
  rule += lark_text(keys.name) + " WS \":\" WS " + lark_text(tool.name) + " WS \",\" WS ";
  rule += lark_text(keys.arguments) + " WS \":\" WS %json " + to_json(tool.parameters);
  return rule + " WS \"}\"";
}

}  // namespace

std::string call_grammar(const ToolSet& tools, const CallKeys& keys, bool list,
                         std::string_view end) {
  std::string lark =
      list ? "start: WS (call | \"[\" WS call (WS \",\" WS call)* WS \"]\")" : "start: WS call";
  if (!end.empty()) lark += " WS " + json_quote(end);
  lark += "\ncall: ";
  for (size_t i = 0; i < tools.tools().size(); ++i) {
    if (i > 0) lark += "\n  | ";
    lark += call_of(tools.tools()[i], keys);
  }
  return lark + "\n" + std::string(kSpace);
}

std::string arguments_grammar(const OfferedTool& tool) {
  return "start: WS %json " + to_json(tool.parameters) + "\n" + std::string(kSpace);
}

}  // namespace strata::models
