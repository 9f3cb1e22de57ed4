#include "inference/constraint/regex.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/utf8.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

const CodePoints kDigits{{'0', '9'}};
const CodePoints kWordCharacters{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePoints kSpaces{{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                         {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                         {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CodePoints kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
const CodePoints kAll{{0, 0x10FFFF}};

class Parser {
 public:
  Parser(Expressions& x, std::string_view pattern, const RegexOptions& options)
      : x_(x), pattern_(pattern), options_(options) {
    if (pattern.size() > kMaxPatternBytes) {
      throw Error(Code::invalid_argument,
                  fmt::format("the regular expression has {} bytes, the limit is {}",
                              pattern.size(), kMaxPatternBytes));
    }
  }

  ExprId parse() {
    const ExprId id = alternatives(true);
    if (at_ < pattern_.size()) refuse("a ) without its (");
    return id;
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Code::invalid_argument,
                fmt::format("the regular expression {} has, at byte {}, {}",
                            pattern_.size() > 200 ? "" : std::string(pattern_), at_, what),
                "see docs/engine/constraints.md for what regular expressions may have");
  }
  bool more() const { return at_ < pattern_.size(); }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t take_code_point() {
    if (!more()) refuse("an end where a character has to follow");
    return next_code_point(pattern_, at_);
  }
  void skip_blanks() {
    while (options_.verbose && more()) {
      if (std::string_view(" \t\r\n\f\v").find(pattern_[at_]) != std::string_view::npos) {
        ++at_;
      } else if (pattern_[at_] == '#') {
        while (more() && pattern_[at_] != '\n') ++at_;
      } else {
        return;
      }
    }
  }

  // What stands at the ends of the pattern may have anchors; without one, anything may be there.
  ExprId alternatives(bool outermost) {
    if (++depth_ > kMaxRuleDepth) refuse("too many brackets in brackets");
    std::vector<ExprId> parts;
    do {
      parts.push_back(one_alternative(outermost));
    } while (take("|"));
    --depth_;
    return x_.any_of(parts);
  }

  ExprId one_alternative(bool outermost) {
    std::vector<ExprId> parts;
    bool from_begin = false;
    bool to_end = false;
    for (skip_blanks(); more() && !next_is("|") && !next_is(")"); skip_blanks()) {
      if (take("^")) {
        if (!outermost || !parts.empty()) refuse("a ^ that is not in front of everything");
        from_begin = true;
      } else if (next_is("$")) {
        ++at_;
        skip_blanks();
        if (!outermost || (more() && !next_is("|"))) refuse("a $ that is not behind everything");
        to_end = true;
      } else {
        parts.push_back(repeated());
      }
    }
    if (outermost && !options_.whole) {
      if (!from_begin) parts.insert(parts.begin(), any_text(x_, options_.spelling));
      if (!to_end) parts.push_back(any_text(x_, options_.spelling));
    }
    ExprId id = Expressions::kEmpty;
    for (size_t i = parts.size(); i-- > 0;) id = x_.sequence(parts[i], id);
    return id;
  }

  ExprId repeated() {
    ExprId id = atom();
    for (int n = 0;; ++n) {
      skip_blanks();
      int32_t least = 0;
      int32_t most = -1;
      if (take("*")) {
      } else if (take("+")) {
        least = 1;
      } else if (take("?")) {
        most = 1;
      } else if (!take_bounds(least, most)) {
        return id;
      }
      if (n > 0) refuse("a repetition of a repetition");
      if (!take("?") && next_is("+")) refuse("a possessive repetition");
      id = x_.repeat(id, least, most);
    }
  }

  bool take_bounds(int32_t& least, int32_t& most) {
    const size_t begin = at_;
    if (!take("{")) return false;
    const std::optional<int32_t> first = number();
    std::optional<int32_t> last = first;
    if (take(",")) last = number();
    if ((!first && !last) || !take("}")) {
      at_ = begin;
      refuse("a { that is no repetition; write \\{");
    }
    least = first.value_or(0);
    most = last.value_or(-1);
    if (most >= 0 && most < least) refuse("a repetition whose bounds are the wrong way round");
    return true;
  }

  std::optional<int32_t> number() {
    if (!more() || pattern_[at_] < '0' || pattern_[at_] > '9') return std::nullopt;
    int32_t n = 0;
    while (more() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      n = n * 10 + (pattern_[at_++] - '0');
      if (n > kMaxRepeat) refuse(fmt::format("a repetition of more than {}", kMaxRepeat));
    }
    return n;
  }

  ExprId atom() {
    if (take("(")) return group();
    if (take("[")) return set_of(bracket());
    if (take(".")) return set_of(options_.dot_all ? kAll : kLineEnds.inverted(), false);
    if (next_is("\\")) {
      ++at_;
      return set_of(escape(false));
    }
    if (next_is("*") || next_is("+") || next_is("?")) refuse("nothing in front of a repetition");
    const char32_t c = take_code_point();
    return set_of(CodePoints{{c, c}});
  }

  ExprId group() {
    if (take("?")) {
      const bool named = take("P<") || (next_is("<") && !next_is("<=") && !next_is("<!"));
      if (named) {
        const size_t end = pattern_.find('>', at_);
        if (end == std::string_view::npos) refuse("a group whose name does not end");
        at_ = end + 1;
      } else if (!take(":")) {
        refuse("a group of another kind than (?:");
      }
    }
    const ExprId id = alternatives(false);
    if (!take(")")) refuse("a ( without its )");
    return id;
  }

  ExprId set_of(CodePoints set, bool other_case = true) {
    if (options_.ignore_case && other_case) set.add_other_case();
    return one_of(x_, set, options_.spelling);
  }

  CodePoints bracket() {
    const bool inverted = take("^");
    CodePoints set;
    while (!next_is("]")) {
      if (!more()) refuse("a [ without its ]");
      if (next_is("[:")) refuse("a class of POSIX");
      CodePoints from = bracket_atom();
      if (next_is("-") && !next_is("-]")) {
        ++at_;
        const CodePoints to = bracket_atom();
        const bool single = is_single(from) && is_single(to);
        if (!single) refuse("a range that does not go from one character to another");
        if (from.ranges()[0].first > to.ranges()[0].first) refuse("a range the wrong way round");
        from = {{from.ranges()[0].first, to.ranges()[0].first}};
      }
      set.add(from);
    }
    ++at_;
    if (options_.ignore_case) set.add_other_case();
    return inverted ? set.inverted() : set;
  }

  static bool is_single(const CodePoints& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].second;
  }

  CodePoints bracket_atom() {
    if (take("\\")) return escape(true);
    const char32_t c = take_code_point();
    return {{c, c}};
  }

  CodePoints escape(bool in_bracket) {
    const char32_t c = take_code_point();
    const auto single = [](char32_t one) { return CodePoints{{one, one}}; };
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return kDigits.inverted();
      case 'w':
        return kWordCharacters;
      case 'W':
        return kWordCharacters.inverted();
      case 's':
        return kSpaces;
      case 'S':
        return kSpaces.inverted();
      case 'n':
        return single('\n');
      case 'r':
        return single('\r');
      case 't':
        return single('\t');
      case 'f':
        return single('\f');
      case 'v':
        return single('\v');
      case '0':
        return single(0);
      case 'x':
        return single(hex(2));
      case 'u':
        return single(unicode());
      case 'c':
        return single(take_code_point() % 32);
      case 'b':
        if (in_bracket) return single('\b');
        refuse("a word boundary");
      case 'p':
      case 'P':
        return category(c == 'P');
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9');
    if (letter) refuse(fmt::format("a \\{}, which is not honoured", static_cast<char>(c)));
    return single(c);
  }

  char32_t hex(int digits) {
    char32_t c = 0;
    for (int i = 0; i < digits; ++i) {
      const char32_t digit = take_code_point();
      const bool is_digit = digit >= '0' && digit <= '9';
      const char32_t lower = digit | 32;
      if (!is_digit && !(lower >= 'a' && lower <= 'f')) refuse("a number that is not hexadecimal");
      c = c * 16 + (is_digit ? digit - '0' : lower - 'a' + 10);
    }
    return c;
  }

  char32_t unicode() {
    if (take("{")) {
      char32_t c = 0;
      int n = 0;
      while (more() && !next_is("}") && n++ < 6) c = c * 16 + hex(1);
      if (!take("}") || c > 0x10FFFF) refuse("a \\u{…} that is no code point");
      return c;
    }
    const char32_t c = hex(4);
    if (c < 0xD800 || c > 0xDBFF || !take("\\u")) return c;
    const char32_t low = hex(4);
    if (low < 0xDC00 || low > 0xDFFF) refuse("half a surrogate pair");
    return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }

  CodePoints category(bool inverted) {
    if (!take("{")) refuse("a \\p without {…}");
    const size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) refuse("a \\p{ without its }");
    const std::string_view name = pattern_.substr(at_, end - at_);
    const std::optional<CodePoints> set = code_points_of_category(name);
    if (!set) refuse(fmt::format("the property {}, which is not known", name));
    at_ = end + 1;
    return inverted ? set->inverted() : *set;
  }

  Expressions& x_;
  const std::string_view pattern_;
  const RegexOptions options_;
  size_t at_ = 0;
  int32_t depth_ = 0;
};

}  // namespace

ExprId any_text(Expressions& x, Spelling spelling) {
  return x.repeat(one_of(x, kAll, spelling), 0, -1);
}

ExprId parse_regex(Expressions& x, std::string_view pattern, const RegexOptions& options) {
  return Parser(x, pattern, options).parse();
}

}  // namespace strata::inference
