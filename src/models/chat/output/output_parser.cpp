#include "models/chat/output/output_parser.h"

#include <algorithm>

#include "core/utf8.h"
#include "models/chat/output/limits.h"

namespace strata::models {
namespace {

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

// How many bytes at the end may be the beginning of one of the markers.
size_t held_back(std::string_view text, const std::vector<std::string>& markers) {
  size_t held = 0;
  for (const std::string& marker : markers) {
    for (size_t n = std::min(text.size(), marker.size() - 1); n > held; --n) {
      if (text.ends_with(std::string_view(marker).substr(0, n))) held = n;
    }
  }
  return held;
}

size_t trailing_space(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && is_json_space(text[text.size() - 1 - n])) ++n;
  return n;
}

size_t leading_space(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && is_json_space(text[n])) ++n;
  return n;
}

class TextParser : public OutputParser {
 public:
  explicit TextParser(OutputOptions options) : options_(std::move(options)) {
    phase_ = options_.state == ThinkState::open ? Phase::reasoning : Phase::start;
    if (options_.tools.empty()) options_.format = nullptr;
    if (options_.format != nullptr) triggers_ = options_.format->triggers();
    n_call_triggers_ = triggers_.size();
    const auto& dropped = options_.think.dropped;
    triggers_.insert(triggers_.end(), dropped.begin(), dropped.end());
  }

  OutputPieces push(std::string_view text) override {
    held_ += text;
    return work(false);
  }

  OutputPieces finish(bool cut) override {
    cut_ = cut;
    return work(true);
  }

  bool reasoning() const override { return phase_ == Phase::reasoning; }

  bool ends_inside(std::string_view text) const override {
    if (phase_ != Phase::reasoning) return false;
    const std::string whole = held_ + std::string(text);
    const size_t end = whole.find(options_.think.close);
    if (end == std::string::npos) return false;
    return !trimmed(std::string_view(whole).substr(end + options_.think.close.size())).empty();
  }

  size_t decided() const override { return base_; }

 private:
  enum class Phase { start, reasoning, content, calls };

  OutputPieces work(bool last) {
    last_ = last;
    OutputPieces pieces;
    while (step(pieces)) {
    }
    return pieces;
  }

  // True: something was taken, or the phase changed.
  bool step(OutputPieces& pieces) {
    switch (phase_) {
      case Phase::start:
        return start();
      case Phase::reasoning:
        return reason(pieces);
      case Phase::content:
        return read_content(pieces);
      case Phase::calls:
        return read_calls(pieces);
    }
    return false;
  }

  // The answer begins: with reasoning, with a call that has no marker, or with content.
  bool start() {
    const size_t space = leading_space(held_);
    const std::string_view text = std::string_view(held_).substr(space);
    if (text.empty() && !last_) return false;
    if (options_.state == ThinkState::may_begin && !options_.think.open.empty() && !thought_) {
      const std::string_view open = options_.think.open;
      if (begins_with(text, open)) {
        drop(space + open.size());
        phase_ = Phase::reasoning;
        return true;
      }
      if (!last_ && begins_with(open, text)) return false;
    }
    if (options_.format != nullptr && options_.format->begins_bare(text)) {
      const CallReading reading = look(text, false);
      if (waits(reading) && (!last_ || options_.format->is_bare_call(text, options_.tools))) {
        return wait();
      }
      if (has_calls(reading)) {
        drop(space);
        begin_calls();
        return true;
      }
    }
    phase_ = Phase::content;
    return true;
  }

  bool reason(OutputPieces& pieces) {
    if (!reasoned_) drop(leading_space(held_));
    const std::string& close = options_.think.close;
    const size_t end = held_.find(close);
    const bool closed = end != std::string::npos;
    size_t certain = closed ? end : held_.size() - (last_ ? 0 : held_back(held_, {close}));
    if (closed || !last_) {
      certain -= trailing_space(std::string_view(held_).substr(0, certain));
    }
    if (!closed && !last_) certain = whole_characters(certain);
    reasoned_ = reasoned_ || certain > 0;
    pieces.reasoning += std::string_view(held_).substr(0, certain);
    drop(certain);
    if (!closed) return false;
    drop(end - certain + close.size());
    thought_ = true;
    space_falls_ = true;
    phase_ = Phase::start;
    return true;
  }

  bool read_content(OutputPieces& pieces) {
    if (space_falls_) {
      drop(leading_space(held_));
      if (held_.empty()) return false;
    }
    size_t at = std::string::npos;
    size_t which = 0;
    for (size_t i = 0; i < triggers_.size(); ++i) {
      const size_t found = held_.find(triggers_[i]);
      const bool longer =
          found == at && at != std::string::npos && triggers_[i].size() > triggers_[which].size();
      if (found >= at && !longer) continue;
      at = found;
      which = i;
    }
    if (at != std::string::npos) return at_trigger(at, which, pieces);
    size_t certain = held_.size();
    if (!last_) {
      certain -= held_back(held_, triggers_);
      if (n_call_triggers_ > 0) {
        certain -= trailing_space(std::string_view(held_).substr(0, certain));
      }
      certain = whole_characters(certain);
    }
    take_content(certain, pieces);
    return false;
  }

  bool at_trigger(size_t at, size_t which, OutputPieces& pieces) {
    if (which >= n_call_triggers_) {
      take_content(at, pieces);
      drop(triggers_[which].size());
      return true;
    }
    const size_t space = trailing_space(std::string_view(held_).substr(0, at));
    take_content(at - space, pieces);
    const std::string_view text = std::string_view(held_).substr(space);
    const CallReading reading = look(text, false);
    if (waits(reading)) return wait();
    if (has_calls(reading)) {
      drop(space);
      begin_calls();
      return true;
    }
    take_content(space + triggers_[which].size(), pieces);
    return true;
  }

  // Nothing can be taken before more text comes. What is cut off here is no content.
  bool wait() {
    if (last_) drop(held_.size());
    return false;
  }

  static bool waits(const CallReading& reading) {
    return reading.kind == CallReading::Kind::more && reading.calls.empty();
  }
  static bool has_calls(const CallReading& reading) {
    return reading.kind == CallReading::Kind::calls || !reading.calls.empty();
  }

  // What the format makes of the text. A call over the limits is none.
  CallReading look(std::string_view text, bool inside) const {
    using Kind = CallReading::Kind;
    const CallReading none{.kind = inside ? Kind::end : Kind::none};
    if (n_calls_ >= kMaxCallsOfAnswer) return none;
    const bool too_long = text.size() > kMaxCallBytes;
    CallPlace place{inside, last_ && !cut_ && !too_long, options_.fragments};
    CallReading reading =
        options_.format->read(text.substr(0, kMaxCallBytes), place, options_.tools);
    if (cut_ && has_calls(reading) && reading.kind == Kind::more && !too_long) {
      place.last = true;  // what was begun ends here
      reading = options_.format->read(text, place, options_.tools);
    }
    if (reading.kind != Kind::more || !too_long) return reading;
    if (reading.calls.empty()) return none;
    reading.kind = Kind::broken;
    return reading;
  }

  void begin_calls() {
    inside_ = false;
    phase_ = Phase::calls;
  }

  bool read_calls(OutputPieces& pieces) {
    using Kind = CallReading::Kind;
    const CallReading reading = look(held_, inside_);
    pass_on(reading, pieces);
    if (reading.kind == Kind::more) return wait();
    n_calls_ += reading.calls.size();
    pieces.n_ended += reading.calls.size();
    n_told_ = 0;
    drop(reading.size);
    if (reading.kind == Kind::calls) {
      inside_ = true;
      return true;
    }
    space_falls_ = reading.kind == Kind::end;
    phase_ = Phase::content;
    return true;
  }

  // What of the calls was not passed on yet.
  void pass_on(const CallReading& reading, OutputPieces& pieces) {
    const bool more = reading.kind == CallReading::Kind::more;
    for (size_t i = n_told_ == 0 ? 0 : n_told_ - 1; i < reading.calls.size(); ++i) {
      const ToolCall& call = reading.calls[i];
      std::string_view arguments = call.arguments;
      if (more && !last_) arguments.remove_suffix(incomplete_utf8_tail(arguments));
      ToolCallPiece piece{.index = static_cast<int32_t>(n_calls_ + i)};
      if (i < n_told_) {
        arguments.remove_prefix(told_bytes_);
        if (arguments.empty()) continue;
        told_bytes_ += arguments.size();
      } else {
        piece.id = call.id.empty() ? make_call_id(options_.id_seed, n_calls_ + i) : call.id;
        piece.name = call.name;
        n_told_ = i + 1;
        told_bytes_ = arguments.size();
      }
      piece.arguments = arguments;
      pieces.calls.push_back(std::move(piece));
    }
  }

  // Not more than what ends with a whole character.
  size_t whole_characters(size_t n) const {
    return n - incomplete_utf8_tail(std::string_view(held_).substr(0, n));
  }

  void take_content(size_t n, OutputPieces& pieces) {
    if (n == 0) return;
    if (cut_ && options_.calls_only) return drop(n);
    pieces.content += std::string_view(held_).substr(0, n);
    auto& ranges = pieces.content_ranges;
    if (!ranges.empty() && ranges.back().end == base_) {
      ranges.back().end = base_ + n;
    } else {
      ranges.push_back({base_, base_ + n});
    }
    space_falls_ = false;
    drop(n);
  }

  void drop(size_t n) {
    held_.erase(0, n);
    base_ += n;
  }

  OutputOptions options_;
  std::vector<std::string> triggers_;  // of calls, then what is dropped
  size_t n_call_triggers_ = 0;
  Phase phase_ = Phase::start;
  bool last_ = false;
  bool cut_ = false;          // there the text does not end by itself
  bool thought_ = false;      // the reasoning has ended
  bool reasoned_ = false;     // some of it came
  bool space_falls_ = false;  // white space that comes next belongs to a marker
  bool inside_ = false;       // behind a call
  size_t n_calls_ = 0;        // that have ended
  size_t n_told_ = 0;         // of those being read, how many were passed on, the last in part
  size_t told_bytes_ = 0;     // of its arguments
  std::string held_;
  size_t base_ = 0;  // bytes of the text before held_
};

}  // namespace

std::unique_ptr<OutputParser> make_output_parser(OutputOptions options) {
  if (options.format != nullptr && options.format->reads_whole()) {
    return options.format->whole_parser(options);
  }
  return std::make_unique<TextParser>(std::move(options));
}

std::string make_call_id(uint64_t seed, uint64_t index) {
  // SplitMix64, as inference/noise.h: neighbouring seeds and indices share nothing.
  uint64_t x = seed + (index + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  x ^= x >> 31;
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string id;
  for (int i = 0; i < 9; ++i, x /= kLetters.size()) id += kLetters[x % kLetters.size()];
  return id;
}

}  // namespace strata::models
