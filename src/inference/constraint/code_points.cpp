#include "inference/constraint/code_points.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/core.h>

#include "core/utf8.h"
#include "models/tokenizer/code_point_class.h"

namespace strata::inference {
namespace {

constexpr char32_t kLast = 0x10FFFF;

ByteSet byte_range(unsigned first, unsigned last) {
  return ByteSet::of(static_cast<uint8_t>(first), static_cast<uint8_t>(last));
}

// All of [first, last], which have the same length in UTF-8 and, but for `n` bytes at the end, the
// same bytes or all bytes of a range.
void utf8_range(Expressions& x, char32_t first, char32_t last, std::vector<ExprId>& out) {
  // Splits where the length changes, then where a middle byte would not run through all 64.
  for (const char32_t border : {0x80u, 0x800u, 0x10000u}) {
    if (first < border && last >= border) {
      utf8_range(x, first, border - 1, out);
      utf8_range(x, border, last, out);
      return;
    }
  }
  for (unsigned shift = 6; shift <= 18; shift += 6) {
    const char32_t low = (char32_t{1} << shift) - 1;
    if (first >> shift == last >> shift) break;
    if ((first & low) != 0) {
      utf8_range(x, first, first | low, out);
      utf8_range(x, (first | low) + 1, last, out);
      return;
    }
    if ((last & low) != low) {
      utf8_range(x, first, (last & ~low) - 1, out);
      utf8_range(x, last & ~low, last, out);
      return;
    }
  }
  std::string from;
  std::string to;
  append_utf8(from, first);
  append_utf8(to, last);
  ExprId id = Expressions::kEmpty;
  for (size_t i = from.size(); i-- > 0;) {
    const auto set = byte_range(static_cast<uint8_t>(from[i]), static_cast<uint8_t>(to[i]));
    id = x.sequence(x.bytes(set), id);
  }
  out.push_back(id);
}

std::string escape(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\'':
      return "\\'";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
  }
}

bool is_escaped(char32_t c, Spelling spelling) {
  if (spelling == Spelling::plain) return false;
  return c < 0x20 || c == (spelling == Spelling::json ? '"' : '\'') || c == '\\';
}

}  // namespace

CodePoints::CodePoints(std::initializer_list<std::pair<char32_t, char32_t>> ranges) {
  for (const auto& [first, last] : ranges) add(first, last);
}

void CodePoints::add(char32_t first, char32_t last) {
  constexpr char32_t kSurrogates = 0xD800;
  constexpr char32_t kBehind = 0xE000;
  last = std::min(last, kLast);
  if (first < kBehind && last >= kSurrogates) {
    if (first < kSurrogates) add(first, kSurrogates - 1);
    first = kBehind;
  }
  if (first > last) return;
  const auto before = [](const auto& range, char32_t c) { return range.second + 1 < c; };
  auto at = std::lower_bound(ranges_.begin(), ranges_.end(), first, before);
  auto end = at;
  for (; end != ranges_.end() && end->first <= last + 1; ++end) {
    first = std::min(first, end->first);
    last = std::max(last, end->second);
  }
  at = ranges_.erase(at, end);
  ranges_.insert(at, {first, last});
}

void CodePoints::add(const CodePoints& other) {
  for (const auto& [first, last] : other.ranges_) add(first, last);
}

void CodePoints::add_other_case() {
  const CodePoints upper = both({{'A', 'Z'}});
  const CodePoints lower = both({{'a', 'z'}});
  for (const auto& [first, last] : upper.ranges_) add(first + 32, last + 32);
  for (const auto& [first, last] : lower.ranges_) add(first - 32, last - 32);
}

CodePoints CodePoints::inverted() const {
  CodePoints result;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) result.add(next, first - 1);
    next = last + 1;
  }
  if (next <= kLast) result.add(next, kLast);
  return result;
}

CodePoints CodePoints::both(const CodePoints& other) const {
  CodePoints result;
  for (const auto& [first, last] : ranges_) {
    for (const auto& [from, to] : other.ranges_) {
      if (std::max(first, from) <= std::min(last, to)) {
        result.add(std::max(first, from), std::min(last, to));
      }
    }
  }
  return result;
}

bool CodePoints::has(char32_t c) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const auto& range) { return range.first <= c && c <= range.second; });
}

std::optional<CodePoints> code_points_of_category(std::string_view name) {
  struct Category {
    std::string_view letter, name;
    models::CodePointClass bit;
  };
  static constexpr std::array<Category, 5> kCategories{{{"L", "Letter", models::kLetter},
                                                        {"M", "Mark", models::kMark},
                                                        {"N", "Number", models::kNumber},
                                                        {"P", "Punctuation", models::kPunctuation},
                                                        {"S", "Symbol", models::kSymbol}}};
  for (const Category& category : kCategories) {
    if (name != category.letter && name != category.name) continue;
    CodePoints set;
    std::optional<char32_t> begin;
    for (char32_t c = 0; c <= kLast + 1; ++c) {
      const bool in = c <= kLast && models::code_point_class(c) == category.bit;
      if (in && !begin) begin = c;
      if (!in && begin) set.add(*std::exchange(begin, std::nullopt), c - 1);
    }
    return set;
  }
  return std::nullopt;
}

ExprId one_of(Expressions& x, const CodePoints& set, Spelling spelling) {
  std::vector<ExprId> parts;
  CodePoints plain = set;
  if (spelling != Spelling::plain) {
    CodePoints escaped;
    std::vector<std::string> texts;
    for (char32_t c = 0; c < 0x60; ++c) {
      if (!is_escaped(c, spelling)) continue;
      escaped.add(c, c);
      if (set.has(c)) texts.push_back(escape(c));
    }
    parts.push_back(x.texts(std::move(texts)));
    plain = set.both(escaped.inverted());
  }
  for (const auto& [first, last] : plain.ranges()) utf8_range(x, first, last, parts);
  return x.any_of(parts);
}

std::string spell(std::string_view text, Spelling spelling) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_escaped(c, spelling)) {
      out += escape(c);
    } else {
      append_utf8(out, c);
    }
  }
  return out;
}

}  // namespace strata::inference
