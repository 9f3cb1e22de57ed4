#include "core/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace strata {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Length that the first byte promises; 0 for a byte that may not begin a sequence.
size_t promised_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

// The second byte has a narrower range after some first bytes (no overlong forms, no surrogates,
// nothing beyond U+10FFFF): Unicode 15, table 3-7.
bool second_byte_fits(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

// Whether the next eight bytes are ASCII.
bool begins_with_ascii(std::string_view text, size_t at) {
  uint64_t bytes = 0;
  if (text.size() - at < sizeof bytes) return false;
  std::memcpy(&bytes, text.data() + at, sizeof bytes);
  return (bytes & 0x8080808080808080u) == 0;
}

}  // namespace

size_t utf8_length_at(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const size_t length = promised_length(first);
  if (length == 0 || at + length > text.size()) return 0;
  if (length > 1 && !second_byte_fits(first, static_cast<unsigned char>(text[at + 1]))) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!is_continuation(text[at + i])) return 0;
  }
  return length;
}

char32_t next_code_point(std::string_view text, size_t& at) {
  const size_t length = utf8_length_at(text, at);
  const auto first = static_cast<unsigned char>(text[at]);
  if (length <= 1) {
    ++at;
    return length == 1 ? first : kReplacement;
  }
  char32_t code_point = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
  }
  at += length;
  return code_point;
}

size_t n_code_points(std::string_view text) {
  size_t n = 0;
  for (size_t at = 0; at < text.size(); ++n) next_code_point(text, at);
  return n;
}

bool is_valid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (begins_with_ascii(text, at)) {
      at += sizeof(uint64_t);
      continue;
    }
    const size_t length = utf8_length_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) append_utf8(out, next_code_point(text, at));
  return out;
}

size_t incomplete_utf8_tail(std::string_view text) {
  const size_t longest = std::min<size_t>(3, text.size());
  for (size_t back = 1; back <= longest; ++back) {
    const size_t at = text.size() - back;
    if (is_continuation(text[at])) continue;
    const auto first = static_cast<unsigned char>(text[at]);
    if (promised_length(first) <= back) return 0;
    const bool second_ok =
        back < 2 || second_byte_fits(first, static_cast<unsigned char>(text[at + 1]));
    return second_ok ? back : 0;
  }
  return 0;
}

}  // namespace strata
