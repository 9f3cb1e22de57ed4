#include "models/chat/output/begun_calls.h"

#include <optional>

#include "models/chat/output/json_scan.h"

namespace strata::models {
namespace {

// Goes through JSON up to where the text ends.
class Reader {
 public:
  Reader(std::string_view text, size_t at) : text_(text), at_(at) {}

  bool take(char c) {
    skip_space(text_, at_);
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::optional<std::string> quoted() {
    skip_space(text_, at_);
    if (at_ >= text_.size() || text_[at_] != '"') return std::nullopt;
    for (size_t end = at_ + 1; end < text_.size(); ++end) {
      if (text_[end] == '\\') ++end;
      if (end >= text_.size() || text_[end] != '"') continue;
      const std::string_view spelled = text_.substr(at_, end + 1 - at_);
      at_ = end + 1;
      return json_text(spelled);
    }
    return std::nullopt;
  }

  // True: they are whole.
  bool arguments(ToolCall call, const ToolSet& tools, BegunCalls& begun) {
    skip_space(text_, at_);
    if (tools.find(call.name) == nullptr || at_ >= text_.size() || text_[at_] != '{') return false;
    const JsonReach reach = json_reach(text_, at_);
    std::string_view written = text_.substr(at_, reach.end - at_);
    const bool whole = reach.match == Match::yes && json_members(written);
    // Brackets that close over what is no JSON.
    if (reach.match == Match::yes && !whole) written.remove_suffix(1);
    call.arguments = written;
    at_ += written.size();
    begun.calls.push_back(std::move(call));
    begun.end = at_;
    return whole;
  }

  // {"name": NAME, "arguments": {…}}, an id before them; true: it is whole.
  bool call(const ToolSet& tools, BegunCalls& begun) {
    ToolCall call;
    if (!take('{')) return false;
    for (;;) {
      const auto key = quoted();
      if (!key || !take(':')) return false;
      if (*key == "arguments" || *key == "parameters") break;
      auto value = quoted();
      if (!value || !take(',')) return false;
      if (*key == "name" || *key == "tool_name") call.name = std::move(*value);
      if (*key == "id") call.id = std::move(*value);
    }
    return arguments(std::move(call), tools, begun) && take('}');
  }

  // {NAME: {…}}
  bool keyed(const ToolSet& tools, BegunCalls& begun) {
    if (!take('{')) return false;
    auto name = quoted();
    if (!name || !take(':')) return false;
    return arguments({.id = {}, .name = std::move(*name), .arguments = {}}, tools, begun) &&
           take('}');
  }

 private:
  std::string_view text_;
  size_t at_;
};

}  // namespace

void begin_arguments(std::string_view text, size_t at, ToolCall call, const ToolSet& tools,
                     BegunCalls& begun) {
  Reader(text, at).arguments(std::move(call), tools, begun);
}

void begin_calls(std::string_view text, size_t at, PatternPart::Kind kind, const ToolSet& tools,
                 BegunCalls& begun) {
  Reader reader(text, at);
  const bool list = kind != PatternPart::Kind::call && reader.take('[');
  const auto one = [&] {
    return kind == PatternPart::Kind::keyed ? reader.keyed(tools, begun)
                                            : reader.call(tools, begun);
  };
  while (one() && list && reader.take(',')) {
  }
}

}  // namespace strata::models
