// Text that remembers which of its bytes came from outside the template (the conversation, tools,
// documents). Every operation on text goes through TextBuilder, which keeps the marks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/jinja/meter.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models::jinja {

// Immutable. Lives at most as long as the Meter that it was counted in.
class Text {
 public:
  Text() = default;
  // Not counted: literals of the template, or text whose owner counts it.
  Text(std::string bytes, bool outside);
  // Takes over `held` bytes that the meter already counted.
  Text(std::string bytes, std::vector<TextRange> marks, bool markup, Meter& meter, size_t held)
      : bytes_(std::move(bytes)),
        marks_(std::move(marks)),
        markup_(markup),
        meter_(&meter),
        held_(held) {}
  ~Text() {
    if (meter_ != nullptr) meter_->release(held_);
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  std::string_view view() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::vector<TextRange>& marks() const { return marks_; }
  bool outside() const { return !marks_.empty(); }  // any byte of it
  bool markup() const { return markup_; }           // result of `safe` or `escape`
  bool outside_at(size_t byte) const;

 private:
  std::string bytes_;
  std::vector<TextRange> marks_;  // ascending, not touching, none empty
  bool markup_ = false;
  Meter* meter_ = nullptr;
  size_t held_ = 0;
};

using TextPtr = std::shared_ptr<const Text>;

class TextBuilder {
 public:
  explicit TextBuilder(Meter& meter) : meter_(meter) {}
  ~TextBuilder() { meter_.release(held_); }
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  void add(std::string_view bytes, bool outside = false);
  void add(const Text& text);
  void add(const Text& text, size_t begin, size_t end);  // bytes [begin, end)
  void add_times(const Text& text, size_t times);
  void fill(size_t count, std::string_view character);

  size_t size() const { return bytes_.size(); }
  TextPtr finish(bool markup = false);
  MarkedText take();

 private:
  void grow(size_t more);
  void mark(size_t begin, size_t end);

  Meter& meter_;
  std::string bytes_;
  std::vector<TextRange> marks_;
  size_t held_ = 0;
};

TextPtr make_text(Meter& meter, std::string_view bytes, bool outside = false);
TextPtr sub_text(Meter& meter, const TextPtr& text, size_t begin, size_t end);

// Position of `needle` in `hay` from `from` on, npos when there is none. In linear time, counted as
// steps.
size_t find_bytes(Meter& meter, std::string_view hay, std::string_view needle, size_t from = 0);
size_t rfind_bytes(Meter& meter, std::string_view hay, std::string_view needle);

// Characters (code points; a byte of no valid sequence counts as one). What walks a text counts
// steps.
size_t count_characters(Meter& meter, std::string_view text);
size_t character_length(std::string_view text, size_t at);  // in bytes, 1..4
// Byte offset of the character with this index; text.size() when there are fewer.
size_t byte_offset(Meter& meter, std::string_view text, size_t character);

}  // namespace strata::models::jinja
