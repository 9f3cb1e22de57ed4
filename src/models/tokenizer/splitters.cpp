#include "models/tokenizer/splitters.h"

#include <array>

#include "core/utf8.h"
#include "models/tokenizer/code_point_class.h"

namespace strata::models {
namespace {

constexpr std::array<uint8_t, 128> make_ascii_classes() {
  std::array<uint8_t, 128> classes{};
  for (size_t c = 0; c < 128; ++c) {
    const bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    if (lower || upper) {
      classes[c] = kLetter;
    } else if (c >= '0' && c <= '9') {
      classes[c] = kNumber;
    } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
      classes[c] = kSpace;
    }
  }
  return classes;  // punctuation, symbols and controls are alike to the patterns below
}
constexpr std::array<uint8_t, 128> kAscii = make_ascii_classes();

constexpr uint8_t kWordish = kLetter | kNumber | kSpace;
constexpr uint8_t kEnd = 64;  // the class of the place behind the piece: matches nothing

// A character of the text: its class and length in bytes.
struct Character {
  uint8_t kind = kEnd;
  uint8_t length = 0;
};

class Reader {
 public:
  Reader(std::string_view text, size_t end) : text_(text.substr(0, end)) {}

  Character at(size_t position) const {
    if (position >= text_.size()) return {};
    const auto byte = static_cast<uint8_t>(text_[position]);
    if (byte < 0x80) return {kAscii[byte], 1};
    size_t next = position;
    const char32_t c = next_code_point(text_, next);
    return {code_point_class(c), static_cast<uint8_t>(next - position)};
  }
  char byte(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  bool is_newline(size_t position) const {
    return byte(position) == '\n' || byte(position) == '\r';
  }
  // Behind the run of characters of these classes.
  size_t skip(size_t position, uint8_t kinds) const {
    for (Character c = at(position); (c.kind & kinds) != 0; c = at(position)) position += c.length;
    return position;
  }
  // Behind the run of characters of none of these classes.
  size_t skip_not(size_t position, uint8_t kinds) const {
    kinds |= kEnd;
    for (Character c = at(position); (c.kind & kinds) == 0; c = at(position)) position += c.length;
    return position;
  }
  // Length of a contraction such as 's or 'll at `position`, else 0.
  size_t contraction(size_t position, Contractions mode) const {
    if (mode == Contractions::none || byte(position) != '\'') return 0;
    const char a = fold(byte(position + 1), mode), b = fold(byte(position + 2), mode);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
  }

 private:
  static char fold(char c, Contractions mode) {
    const bool upper = c >= 'A' && c <= 'Z';
    return upper && mode == Contractions::any_case ? static_cast<char>(c - 'A' + 'a') : c;
  }
  std::string_view text_;
};

// Behind the white space at `position`, leaving its last character to the word that follows.
size_t skip_spaces(const Reader& reader, size_t position) {
  size_t last = position;
  size_t next = position;
  for (Character c = reader.at(next); c.kind == kSpace; c = reader.at(next)) {
    last = next;
    next += c.length;
  }
  const bool word_follows = reader.at(next).kind != kEnd;
  return word_follows && last > position ? last : next;
}

size_t behind_newlines(const Reader& reader, size_t position) {
  while (reader.is_newline(position)) ++position;
  return position;
}

size_t skip_digits(const Reader& reader, size_t position, uint32_t max_digits) {
  if (max_digits == 0) return reader.skip(position, kNumber);
  for (uint32_t i = 0; i < max_digits; ++i) {
    const Character c = reader.at(position);
    if (c.kind != kNumber) break;
    position += c.length;
  }
  return position;
}

// End of the first word at `position`, by the rules of split_words.
size_t word_end(const Reader& reader, size_t position, const WordRules& rules, uint8_t letters) {
  const Character first = reader.at(position);
  if ((first.kind & letters) != 0) return reader.skip(position + first.length, letters);
  if (const size_t length = reader.contraction(position, rules.contractions)) {
    return position + length;
  }
  if (first.kind == kNumber) return skip_digits(reader, position, rules.max_digits);
  const size_t second = position + first.length;
  if (!reader.is_newline(position) && (reader.at(second).kind & letters) != 0) {
    return reader.skip(second, letters);
  }
  const uint8_t wordish = kWordish | letters;
  const size_t symbols = reader.byte(position) == ' ' ? second : position;
  if ((reader.at(symbols).kind & (wordish | kEnd)) == 0) {
    return behind_newlines(reader, reader.skip_not(symbols, wordish));
  }
  // White space: up to its last line end, else all but the space in front of the next word.
  size_t next = position;
  size_t behind_newline = 0;
  for (Character c = reader.at(next); c.kind == kSpace; c = reader.at(next)) {
    if (reader.is_newline(next)) behind_newline = next + c.length;
    next += c.length;
  }
  return behind_newline > 0 ? behind_newline : skip_spaces(reader, position);
}

}  // namespace

void split_words(std::string_view text, size_t begin, size_t end, const WordRules& rules,
                 Ends& out) {
  const Reader reader(text, end);
  const auto letters = static_cast<uint8_t>(rules.marks_are_letters ? kLetter | kMark : kLetter);
  for (size_t at = begin; at < end;) {
    at = word_end(reader, at, rules, letters);
    out.push_back(static_cast<uint32_t>(at));
  }
}

void split_gpt2(std::string_view text, size_t begin, size_t end, Ends& out) {
  const Reader reader(text, end);
  for (size_t at = begin; at < end; out.push_back(static_cast<uint32_t>(at))) {
    if (const size_t length = reader.contraction(at, Contractions::lower_case)) {
      at += length;
      continue;
    }
    const size_t word = at + (reader.byte(at) == ' ' ? 1 : 0);
    const uint8_t kind = reader.at(word).kind;
    if (kind == kLetter || kind == kNumber) {
      at = reader.skip(word, kind);
    } else if ((kind & (kSpace | kEnd)) == 0) {
      at = reader.skip_not(word, kWordish);
    } else {
      at = skip_spaces(reader, at);
    }
  }
}

void split_digits(std::string_view text, size_t begin, size_t end, Ends& out) {
  const Reader reader(text, end);
  for (size_t at = begin; at < end; out.push_back(static_cast<uint32_t>(at))) {
    const Character c = reader.at(at);
    at = c.kind == kNumber ? at + c.length : reader.skip_not(at, kNumber);
  }
}

void split_digit_groups(std::string_view text, size_t begin, size_t end, Ends& out) {
  const Reader reader(text, end);
  for (size_t at = begin; at < end;) {
    const size_t numbers = reader.skip_not(at, kNumber);
    if (numbers > at) out.push_back(static_cast<uint32_t>(numbers));
    size_t count = 0;
    for (at = numbers; reader.at(at).kind == kNumber; at += reader.at(at).length) ++count;
    size_t cut = numbers;
    for (; count > 0; --count) {
      cut += reader.at(cut).length;
      if (count % 3 == 1) out.push_back(static_cast<uint32_t>(cut));
    }
  }
}

void split_ascii_digit_groups(std::string_view text, size_t begin, size_t end, Ends& out) {
  const auto is_digit = [text](size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  for (size_t at = begin; at < end;) {
    size_t run_end = at;
    while (run_end < end && is_digit(run_end)) ++run_end;
    for (; at < run_end; ++at) {
      if (at > begin && (run_end - at) % 3 == 0) out.push_back(static_cast<uint32_t>(at));
    }
    while (at < end && !is_digit(at)) ++at;
  }
  out.push_back(static_cast<uint32_t>(end));
}

void split_lines(std::string_view text, size_t begin, size_t end, Ends& out) {
  for (size_t at = begin; at < end; out.push_back(static_cast<uint32_t>(at))) {
    const bool newline = text[at] == '\n';
    const size_t next = newline ? text.find_first_not_of('\n', at) : text.find('\n', at);
    at = next > end ? end : next;
  }
}

}  // namespace strata::models
