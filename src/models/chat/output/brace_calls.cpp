// <|tool_call>call:NAME{KEY:VALUE,…}<tool_call|>, strings between tokens of their own; and the same
// with words for tokens.
#include "core/json.h"
#include "core/registry.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/loose_values.h"
#include "models/chat/output/output_format.h"

namespace strata::models {
namespace {

class BraceCalls : public OutputFormat {
 public:
  BraceCalls(std::string name, std::string open, std::string close, std::string quote)
      : name_(std::move(name)),
        open_(std::move(open)),
        close_(std::move(close)),
        quote_(std::move(quote)) {}

  std::string_view name() const override { return name_; }
  int32_t fits(std::string_view source) const override {
    return source.find(open_) != std::string_view::npos ? 40 : 0;
  }
  std::vector<std::string> triggers() const override { return {open_}; }
  std::vector<std::string> markers() const override { return {open_, close_, quote_}; }

  CallReading read(std::string_view text, const CallPlace& place,
                   const ToolSet& tools) const override {
    (void)tools;
    if (place.inside) return read_behind(text, place.last);
    LooseReader reader(text, 0, {.quote = quote_, .bare_keys = true});
    CallReading reading{.kind = CallReading::Kind::calls, .calls = {{}}};
    ToolCall& call = reading.calls.front();
    Match match = reader.literal(open_);
    if (match == Match::yes) match = reader.literal("call:");
    if (match == Match::yes) match = reader.word(call.name);
    if (match == Match::yes) match = reader.literal("{");
    if (match == Match::yes) match = reader.members(":", "}", call.arguments);
    if (match == Match::more && !place.last) return {.kind = CallReading::Kind::more};
    if (match != Match::yes) return {};
    reading.size = reader.at();
    return reading;
  }

  std::vector<CallTrigger> call_triggers(const ToolSet& tools) const override {
    std::string lark = "start: (";
    for (const OfferedTool& tool : tools.tools()) {
      if (!lark.ends_with('(')) lark += "\n  | ";
      lark += json_quote("call:" + tool.name) + " %marked " + json_quote(quote_) + " " +
              to_json(tool.parameters);
    }
    lark += ") WS %mark " + json_quote(close_) + "\nWS: /[ \\n]{0,2}/\n";
    return {{.begin = open_, .lark = std::move(lark)}};
  }

 private:
  CallReading read_behind(std::string_view text, bool last) const {
    size_t at = 0;
    skip_space(text, at);
    const Match close = match_literal(text, at, close_);
    if (close == Match::more && !last) return {.kind = CallReading::Kind::more};
    return {.kind = CallReading::Kind::end, .size = close == Match::yes ? at : 0};
  }

  const std::string name_, open_, close_, quote_;
};

const Registered<OutputFormat> brace_calls{
    std::make_unique<BraceCalls>("brace-calls", "<|tool_call>", "<tool_call|>", "<|\"|>")};
const Registered<OutputFormat> function_call_braces{std::make_unique<BraceCalls>(
    "brace-calls-words", "<start_function_call>", "<end_function_call>", "<escape>")};

}  // namespace
}  // namespace strata::models
