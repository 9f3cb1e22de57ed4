#include "inference/constraint/ebnf_reader.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"
#include "inference/constraint/limits.h"

namespace strata::inference {

void EbnfReader::refuse(std::string_view what) const {
  const auto line =
      1 + std::count(text_.begin(),
                     text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())),
                     '\n');
  throw Error(Code::invalid_argument, fmt::format("{}, line {}: {}", kind_, line, what),
              "see docs/engine/constraints.md for what grammars may have");
}

std::string EbnfReader::name(std::string_view others) {
  const size_t begin = at_;
  const auto belongs = [&](char c) {
    return is_ascii_alnum(c) || others.find(c) != std::string_view::npos;
  };
  while (more() && belongs(text_[at_])) ++at_;
  if (at_ == begin) refuse("a name has to follow");
  return std::string(text_.substr(begin, at_ - begin));
}

char32_t EbnfReader::hex(int digits) {
  char32_t c = 0;
  for (int i = 0; i < digits; ++i) {
    const char digit = peek();
    const char lower = static_cast<char>(digit | 32);
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && !(lower >= 'a' && lower <= 'f')) refuse("a number that is not hexadecimal");
    c = c * 16 + static_cast<char32_t>(decimal ? digit - '0' : lower - 'a' + 10);
    ++at_;
  }
  return c;
}

char32_t EbnfReader::character() {
  if (!more()) refuse("an end where a character has to follow");
  if (!take("\\")) return next_code_point(text_, at_);
  const char c = peek();
  ++at_;
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'b':
      return '\b';
    case '0':
      return 0;
    case 'x':
      return hex(2);
    case 'u':
      return hex(4);
    case 'U':
      return hex(8);
    default:
      break;
  }
  if (is_ascii_letter(c) || (c >= '1' && c <= '9') || c == '\0') {
    refuse(fmt::format("a \\{}, which is not honoured", c));
  }
  return static_cast<unsigned char>(c);
}

std::string EbnfReader::quoted(char end) {
  std::string out;
  while (peek() != end) {
    if (!more() || peek() == '\n') refuse("a string that does not end");
    append_utf8(out, character());
  }
  ++at_;
  return out;
}

int32_t EbnfReader::number() {
  int64_t n = 0;
  if (peek() < '0' || peek() > '9') refuse("a number has to follow");
  while (peek() >= '0' && peek() <= '9') {
    n = n * 10 + (peek() - '0');
    ++at_;
    if (n > kMaxRepeat) refuse(fmt::format("a repetition of more than {}", kMaxRepeat));
  }
  return static_cast<int32_t>(n);
}

std::pair<int32_t, int32_t> EbnfReader::bounds(std::string_view between) {
  const int32_t least = number();
  if (!take(between)) return {least, least};
  if (peek() < '0' || peek() > '9') return {least, -1};
  const int32_t most = number();
  if (most < least) refuse("a repetition whose bounds are the wrong way round");
  return {least, most};
}

std::optional<std::pair<int32_t, int32_t>> EbnfReader::repetition() {
  if (take("*")) return {{0, -1}};
  if (take("+")) return {{1, -1}};
  if (take("?")) return {{0, 1}};
  if (!take("{")) return std::nullopt;
  const auto range = bounds(",");
  if (!take("}")) refuse("a { without its }");
  return range;
}

std::string_view EbnfReader::token() {
  const size_t end = rest().find('>');
  if (end == std::string_view::npos) refuse("a < without its >");
  if (next_is("<[")) refuse("tokens by their number are not honoured");
  const std::string_view spelled = rest().substr(0, end + 1);
  skip(end + 1);
  return spelled;
}

}  // namespace strata::inference
