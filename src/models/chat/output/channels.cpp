// Messages on channels, each with a header: analysis is reasoning, a recipient makes it a call, the
// rest is content.
//   <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary
//   to=functions.NAME <|constrain|>json<|message|>{…}<|call|>
#include <algorithm>
#include <array>

#include "core/registry.h"
#include "core/utf8.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/limits.h"
#include "models/chat/output/output_parser.h"

namespace strata::models {
namespace {

constexpr std::string_view kStart = "<|start|>";
constexpr std::string_view kMessage = "<|message|>";
constexpr std::array<std::string_view, 4> kEnds{"<|end|>", "<|call|>", "<|return|>", kStart};
constexpr size_t kMaxHeaderBytes = 1024;

class ChannelParser : public OutputParser {
 public:
  // A message that is gone on with has its header in the prompt.
  explicit ChannelParser(OutputOptions options) : options_(std::move(options)) {
    if (options_.state == ThinkState::open) body_ = Body::reasoning;
    if (options_.state == ThinkState::closed) body_ = Body::content;
  }

  OutputPieces push(std::string_view text) override {
    held_ += text;
    return work(false);
  }
  OutputPieces finish(bool cut) override {
    cut_ = cut;
    return work(true);
  }
  bool reasoning() const override { return body_ == Body::reasoning; }
  size_t decided() const override { return base_; }

 private:
  enum class Body { header, reasoning, content, call };

  OutputPieces work(bool last) {
    OutputPieces pieces;
    while (body_ == Body::header ? read_header(last) : read_body(last, pieces)) {
    }
    return pieces;
  }

  bool read_header(bool last) {
    const size_t end = held_.find(kMessage);
    const bool whole = end != std::string::npos;
    const std::string_view header = std::string_view(held_).substr(0, end);
    // Its bytes with its end count, so that the limit is met wherever the text was cut.
    const size_t size = whole ? end + kMessage.size() : held_.size();
    if (!may_be_header(header) || size > kMaxHeaderBytes) {
      body_ = Body::content;  // a text without one
      return true;
    }
    if (!whole) {
      if (last) drop(held_.size());  // cut off before its message began
      return false;
    }
    header_ = held_.substr(0, end);
    drop(end + kMessage.size());
    recipient_ = recipient_of(header_);
    body_ = Body::content;
    if (header_.find("analysis") != std::string::npos) body_ = Body::reasoning;
    if (!recipient_.empty()) body_ = Body::call;
    return true;
  }

  static bool may_be_header(std::string_view text) {
    text = trimmed(text);
    for (const std::string_view beginning : {"<|", "assistant", "to="}) {
      if (beginning.starts_with(text) || text.starts_with(beginning)) return true;
    }
    return text.empty();
  }

  // to=functions.NAME; to=NAME of a tool that is not a function.
  static std::string recipient_of(std::string_view header) {
    const size_t at = header.find("to=");
    if (at == std::string_view::npos) return {};
    std::string_view name = header.substr(at + 3);
    name = name.substr(0, name.find_first_of(" <\n\t"));
    if (name.starts_with("functions.")) name.remove_prefix(10);
    return std::string(name.substr(0, kMaxToolNameBytes));
  }

  bool read_body(bool last, OutputPieces& pieces) {
    size_t at = std::string::npos;
    std::string_view marker;
    for (const std::string_view end : kEnds) {
      const size_t found = held_.find(end);
      if (found >= at) continue;
      at = found;
      marker = end;
    }
    const bool closed = at != std::string::npos;
    if (body_ == Body::call) {
      if (!closed && !last && held_.size() <= kMaxCallBytes) return false;
      take_call(closed ? at : held_.size(), !closed && cut_, pieces);
    } else {
      take_text(closed ? at : certain(last), pieces);
    }
    if (!closed) return false;
    drop(marker.size());
    body_ = Body::header;
    return true;
  }

  // What can be no marker's beginning, up to a whole character.
  size_t certain(bool last) const {
    if (last) return held_.size();
    size_t held = 0;
    for (const std::string_view marker : kEnds) {
      for (size_t n = std::min(held_.size(), marker.size() - 1); n > held; --n) {
        if (held_.ends_with(marker.substr(0, n))) held = n;
      }
    }
    const size_t n = held_.size() - held;
    return n - incomplete_utf8_tail(std::string_view(held_).substr(0, n));
  }

  void take_text(size_t n, OutputPieces& pieces) {
    const std::string_view text = std::string_view(held_).substr(0, n);
    if (n == 0) return;
    if (body_ == Body::reasoning) {
      pieces.reasoning += text;
    } else {
      pieces.content += text;
      pieces.content_ranges.push_back({base_, base_ + n});
    }
    drop(n);
  }

  void take_call(size_t n, bool cut, OutputPieces& pieces) {
    const std::string_view arguments = trimmed(std::string_view(held_).substr(0, n));
    const bool whole = json_members(arguments).has_value() || (arguments.empty() && !cut);
    if (!whole && cut && !options_.fragments) return drop(n);
    if ((!whole && !cut) || options_.tools.empty() || n_calls_ >= kMaxCallsOfAnswer) {
      body_ = Body::content;
      take_text(n, pieces);
      return;
    }
    pieces.calls.push_back(
        {.index = static_cast<int32_t>(n_calls_),
         .id = make_call_id(options_.id_seed, n_calls_),
         .name = recipient_,
         .arguments = std::string(arguments.empty() && !cut ? "{}" : arguments)});
    ++n_calls_;
    drop(n);
  }

  void drop(size_t n) {
    held_.erase(0, n);
    base_ += n;
  }

  const OutputOptions options_;
  Body body_ = Body::header;
  bool cut_ = false;  // the text does not end by itself
  std::string header_, recipient_;
  size_t n_calls_ = 0;
  std::string held_;
  size_t base_ = 0;
};

class Channels : public OutputFormat {
 public:
  std::string_view name() const override { return "channels"; }
  int32_t fits(std::string_view source) const override {
    const bool channels = source.find("<|channel|>analysis") != std::string_view::npos &&
                          source.find(kMessage) != std::string_view::npos;
    return channels ? 50 : 0;
  }
  std::vector<std::string> triggers() const override { return {}; }
  std::vector<std::string> markers() const override {
    return {std::string(kStart), std::string(kMessage), "<|channel|>", "<|constrain|>", "<|end|>",
            "<|call|>",          "<|return|>"};
  }
  CallReading read(std::string_view, const CallPlace&, const ToolSet&) const override { return {}; }
  bool reads_whole() const override { return true; }
  std::unique_ptr<OutputParser> whole_parser(const OutputOptions& options) const override {
    return std::make_unique<ChannelParser>(options);
  }
  std::string reasoning_end() const override {
    return "<|end|><|start|>assistant<|channel|>final<|message|>";
  }
  // The name of a tool, what is left of the header, arguments.
  std::vector<CallTrigger> call_triggers(const ToolSet& tools) const override {
    const std::string type = "(\" \"? %mark \"<|constrain|>\"? \"json\")?";
    const auto rule = [&](const std::string& channel) {
      std::string lark = "start: ";
      for (const OfferedTool& tool : tools.tools()) {
        if (!lark.ends_with(": ")) lark += "\n  | ";
        lark += json_quote(tool.name) + channel + type + " %mark " +
                json_quote(std::string(kMessage)) + " WS %json " + to_json(tool.parameters);
      }
      return lark + "\nWS: /[ \\n]{0,2}/\n";
    };
    return {{.begin = "<|channel|>commentary to=functions.", .lark = rule(" ")},
            {.begin = "<|start|>assistant to=functions.",
             .lark = rule(" %mark \"<|channel|>commentary\" ")}};
  }
  // Behind the analysis, and what ends it, another message begins. One that is gone on with has its
  // header.
  AnswerFront front(ThinkState state, bool may_think) const override {
    const std::string next = "%mark \"<|start|>assistant\"";
    const std::string message = "start: %mark \"<|channel|>final<|message|>\"";
    if (state == ThinkState::closed) return {};
    if (state == ThinkState::open) return {.any = "start: %reasoning " + next, .text = message};
    if (!may_think) return {.text = message};
    return {.any = "start: (%mark \"<|channel|>analysis<|message|>\" %reasoning " + next + ")?",
            .text = message};
  }
};

const Registered<OutputFormat> channels{std::make_unique<Channels>()};

}  // namespace
}  // namespace strata::models
