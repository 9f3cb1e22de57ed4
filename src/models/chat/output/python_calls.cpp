// [NAME(KEY=VALUE, …), …] as Python writes calls, between markers or as the whole answer.
#include <algorithm>

#include "core/json.h"
#include "core/registry.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/loose_values.h"
#include "models/chat/output/output_format.h"

namespace strata::models {
namespace {

class PythonCalls : public OutputFormat {
 public:
  std::string_view name() const override { return "python-calls"; }

  int32_t fits(std::string_view source) const override {
    for (const char* mark : {"<|tool_call_start|>", "<|tool_list_start|>",
                             "[func_name1(params_name1=", "[func_name(params"}) {
      if (source.find(mark) != std::string_view::npos) return 40;
    }
    // Templates that do not say how calls are written show the marks of their lists.
    return source.find("List of tools: ") != std::string_view::npos ? 5 : 0;
  }

  std::vector<std::string> triggers() const override { return {kOpen}; }
  std::vector<std::string> markers() const override { return {kOpen, kClose}; }
  bool begins_bare(std::string_view text) const override { return text.starts_with('['); }
  bool is_bare_call(std::string_view text, const ToolSet& tools) const override {
    LooseReader reader(text, 0, {});
    std::string name;
    if (reader.literal("[") != Match::yes) return false;
    reader.skip_space();
    return reader.word(name) == Match::yes && reader.literal("(") == Match::yes &&
           tools.find(name) != nullptr;
  }

  CallReading read(std::string_view text, const CallPlace& place,
                   const ToolSet& tools) const override {
    if (place.inside) return read_behind(text, place.last);
    size_t at = 0;
    const Match open = match_literal(text, at, kOpen);
    const bool bare = open == Match::no;
    if (open == Match::more) return waiting(place.last);
    CallReading reading{.kind = CallReading::Kind::calls};
    const Match match = read_list(text, at, reading.calls);
    if (match == Match::more) return waiting(place.last);
    if (match == Match::no) return {};
    // Without a marker only the names tell calls from a list.
    const bool known = std::all_of(reading.calls.begin(), reading.calls.end(),
                                   [&](const ToolCall& call) { return tools.find(call.name); });
    if (bare && !known) return {};
    reading.size = at;
    return reading;
  }

  // A list alone is the whole answer.
  std::vector<CallTrigger> call_triggers(const ToolSet& tools) const override {
    std::string calls;
    for (const OfferedTool& tool : tools.tools()) {
      calls += (calls.empty() ? "" : "\n  | ") + json_quote(tool.name) + " %python " +
               to_json(tool.parameters);
    }
    const auto grammar = [&](const std::string& close) {
      return "start: WS \"[\" WS call (WS \",\" WS call)* WS \"]\"" + close + "\ncall: " + calls +
             "\nWS: /[ \\n]{0,2}/\n";
    };
    std::string any;
    for (const OfferedTool& tool : tools.tools()) {
      any += (any.empty() ? "" : " | ") + json_quote(tool.name);
    }
    return {{.begin = kOpen, .lark = grammar(" WS %mark " + json_quote(kClose))},
            {.begin = "start: B \"[\" B (" + any + ") \"(\"\nB: /[ \\t\\r\\n]*/\n",
             .lark = grammar(""),
             .bare = true,
             .last = true}};
  }

 private:
  static constexpr const char* kOpen = "<|tool_call_start|>";
  static constexpr const char* kClose = "<|tool_call_end|>";

  static CallReading waiting(bool last) {
    return {.kind = last ? CallReading::Kind::none : CallReading::Kind::more};
  }

  static CallReading read_behind(std::string_view text, bool last) {
    size_t at = 0;
    skip_space(text, at);
    const Match close = match_literal(text, at, kClose);
    if (close == Match::more && !last) return {.kind = CallReading::Kind::more};
    return {.kind = CallReading::Kind::end, .size = close == Match::yes ? at : 0};
  }

  static Match read_list(std::string_view text, size_t& at, std::vector<ToolCall>& calls) {
    LooseReader reader(text, at, {});
    reader.skip_space();
    Match match = reader.literal("[");
    while (match == Match::yes) {
      reader.skip_space();
      ToolCall call;
      if ((match = reader.word(call.name)) != Match::yes) break;
      if ((match = reader.literal("(")) != Match::yes) break;
      if ((match = reader.members("=", ")", call.arguments)) != Match::yes) break;
      calls.push_back(std::move(call));
      reader.skip_space();
      if ((match = reader.literal("]")) != Match::no) break;
      match = reader.literal(",");
    }
    at = reader.at();
    return match;
  }
};

const Registered<OutputFormat> python_calls{std::make_unique<PythonCalls>()};

}  // namespace
}  // namespace strata::models
