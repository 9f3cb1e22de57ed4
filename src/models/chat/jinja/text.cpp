#include "models/chat/jinja/text.h"

#include <algorithm>

#include "core/utf8.h"

namespace strata::models::jinja {

Text::Text(std::string bytes, bool outside) : bytes_(std::move(bytes)) {
  if (outside && !bytes_.empty()) marks_.push_back({0, bytes_.size()});
}

namespace {

// The first mark that ends behind `byte`.
auto first_mark(const std::vector<TextRange>& marks, size_t byte) {
  return std::partition_point(marks.begin(), marks.end(),
                              [byte](const TextRange& mark) { return mark.end <= byte; });
}

// Prefix table of Knuth, Morris and Pratt; places in texts fit 32 bits, see max_output_bytes.
template <typename Iterator>
std::vector<uint32_t> border_table(Iterator needle, size_t size) {
  std::vector<uint32_t> table(size, 0);
  uint32_t matched = 0;
  for (size_t i = 1; i < size; ++i) {
    while (matched > 0 && needle[static_cast<std::ptrdiff_t>(i)] != needle[matched]) {
      matched = table[matched - 1];
    }
    if (needle[static_cast<std::ptrdiff_t>(i)] == needle[matched]) ++matched;
    table[i] = matched;
  }
  return table;
}

// Characters in front of the first match, npos when there is none. Forward or reverse iterators.
template <typename Iterator>
size_t find_linear(Meter& meter, Iterator hay, size_t size, Iterator needle, size_t needle_size) {
  meter.step_characters(needle_size);
  meter.hold(needle_size * sizeof(uint32_t));
  const auto table = border_table(needle, needle_size);
  meter.release(needle_size * sizeof(uint32_t));
  uint32_t matched = 0;
  for (size_t i = 0; i < size; ++i) {
    const char c = hay[static_cast<std::ptrdiff_t>(i)];
    while (matched > 0 && c != needle[matched]) matched = table[matched - 1];
    if (c == needle[matched]) ++matched;
    if (matched < needle_size) continue;
    meter.step_characters(i);
    return i + 1 - needle_size;
  }
  meter.step_characters(size);
  return std::string_view::npos;
}

constexpr size_t kShortNeedle = 16;  // up to it the simple search is quick even at its worst,
constexpr size_t kSimpleSearch = 2;  // which is this many times slower than walking

}  // namespace

bool Text::outside_at(size_t byte) const {
  const auto mark = first_mark(marks_, byte);
  return mark != marks_.end() && mark->begin <= byte;
}

void TextBuilder::grow(size_t more) {
  meter_.check_text_size(more);
  meter_.check_text_size(bytes_.size() + more);
  meter_.hold(more);
  held_ += more;
  meter_.step_bytes(more);
}

void TextBuilder::mark(size_t begin, size_t end) {
  if (begin == end) return;
  if (!marks_.empty() && marks_.back().end == begin) {
    marks_.back().end = end;
    return;
  }
  meter_.hold(sizeof(TextRange));
  held_ += sizeof(TextRange);
  marks_.push_back({begin, end});
}

void TextBuilder::add(std::string_view bytes, bool outside) {
  grow(bytes.size());
  bytes_ += bytes;
  if (outside) mark(bytes_.size() - bytes.size(), bytes_.size());
}

void TextBuilder::add(const Text& text) {
  add(text, 0, text.size());
}

void TextBuilder::add(const Text& text, size_t begin, size_t end) {
  if (begin >= end) return;
  grow(end - begin);
  const size_t base = bytes_.size();
  bytes_ += text.view().substr(begin, end - begin);
  const auto& marks = text.marks();
  size_t copied = 0;
  for (auto mark = first_mark(marks, begin); mark != marks.end() && mark->begin < end; ++mark) {
    this->mark(base + std::max(mark->begin, begin) - begin,
               base + std::min(mark->end, end) - begin);
    ++copied;
  }
  meter_.step_entries(copied);
}

void TextBuilder::add_times(const Text& text, size_t times) {
  if (text.empty() || times == 0) return;
  if (times > meter_.limits().max_output_bytes / text.size()) {
    meter_.exhausted("a text repeated " + std::to_string(times) + " times, the limit is " +
                     std::to_string(meter_.limits().max_output_bytes) + " bytes");
  }
  if (!text.outside() && text.size() == 1) {
    grow(times);
    bytes_.append(times, text.view()[0]);
    return;
  }
  for (size_t i = 0; i < times; ++i) add(text);
}

void TextBuilder::fill(size_t count, std::string_view character) {
  const Text unit(std::string(character), false);
  add_times(unit, count);
}

TextPtr TextBuilder::finish(bool markup) {
  meter_.hold(sizeof(Text) + 32);
  const size_t held = held_ + sizeof(Text) + 32;
  held_ = 0;
  auto text =
      std::make_shared<const Text>(std::move(bytes_), std::move(marks_), markup, meter_, held);
  bytes_.clear();
  marks_.clear();
  return text;
}

MarkedText TextBuilder::take() {
  return {std::move(bytes_), std::move(marks_)};
}

TextPtr make_text(Meter& meter, std::string_view bytes, bool outside) {
  TextBuilder builder(meter);
  builder.add(bytes, outside);
  return builder.finish();
}

TextPtr sub_text(Meter& meter, const TextPtr& text, size_t begin, size_t end) {
  if (begin == 0 && end == text->size()) return text;
  TextBuilder builder(meter);
  builder.add(*text, begin, end);
  return builder.finish(text->markup());
}

size_t find_bytes(Meter& meter, std::string_view hay, std::string_view needle, size_t from) {
  constexpr auto npos = std::string_view::npos;
  if (from > hay.size() || needle.size() > hay.size() - from) return npos;
  if (needle.size() <= kShortNeedle) {
    const size_t at = hay.find(needle, from);
    meter.step_characters(kSimpleSearch * ((at == npos ? hay.size() : at) - from));
    return at;
  }
  const size_t at =
      find_linear(meter, hay.begin() + from, hay.size() - from, needle.begin(), needle.size());
  return at == npos ? npos : from + at;
}

size_t rfind_bytes(Meter& meter, std::string_view hay, std::string_view needle) {
  constexpr auto npos = std::string_view::npos;
  if (needle.size() > hay.size()) return npos;
  if (needle.size() <= kShortNeedle) {
    const size_t at = hay.rfind(needle);
    meter.step_characters(kSimpleSearch * (at == npos ? hay.size() : hay.size() - at));
    return at;
  }
  const size_t at = find_linear(meter, hay.rbegin(), hay.size(), needle.rbegin(), needle.size());
  return at == npos ? npos : hay.size() - at - needle.size();
}

size_t character_length(std::string_view text, size_t at) {
  if (static_cast<unsigned char>(text[at]) < 0x80) return 1;
  return std::max<size_t>(1, utf8_length_at(text, at));
}

size_t count_characters(Meter& meter, std::string_view text) {
  meter.step_characters(text.size());
  size_t n = 0;
  for (size_t at = 0; at < text.size(); at += character_length(text, at)) ++n;
  return n;
}

size_t byte_offset(Meter& meter, std::string_view text, size_t character) {
  size_t at = 0;
  for (; character > 0 && at < text.size(); --character) at += character_length(text, at);
  meter.step_characters(at);
  return at;
}

}  // namespace strata::models::jinja
