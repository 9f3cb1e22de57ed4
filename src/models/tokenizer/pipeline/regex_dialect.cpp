#include "models/tokenizer/pipeline/regex_dialect.h"

#include <vector>

#include "core/error.h"

namespace strata::models {
namespace {

// PCRE2's own \s and \w differ: U+180E; marks, letters in circles, and of the numbers that are no
// digits only some.
constexpr std::string_view kSpaces =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWordish =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9})"
    R"(\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
// Outside of a class Oniguruma's \w has these, too: superscripts and fractions of Latin-1.
constexpr std::string_view kWordishAlone = R"(\xb2\xb3\xb9\xbc-\xbe)";
constexpr std::string_view kHex = "0-9A-Fa-f";

class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : in_(pattern) {}

  std::string rewrite() {
    while (at_ < in_.size()) element();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Code::unimplemented,
                fmt::format("the pattern's {} at byte {} is not understood", what, at_));
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool starts(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  void copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  void element() {
    switch (peek()) {
      case '\\':
        return escape(false);
      case '[':
        return character_class();
      case '(':
        return group();
      case ')':
        if (caseless_.size() > 1) caseless_.pop_back();
        return copy(1);
      case '{':
        // Ruby reads {,n} as {0,n}, PCRE2 as text.
        if (peek(1) == ',') {
          out_ += "{0";
          ++at_;
          return;
        }
        return interval();
      default:
        copy(1);
    }
  }

  // x{n,m}+ repeats once more in Ruby and is possessive in PCRE2.
  void interval() {
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) refuse("open brace");
    copy(end + 1 - at_);
    if (peek() == '+') refuse("repeated interval");
  }

  void group() {
    if (peek(1) == '*') refuse("(*verb)");
    if (starts("(?i)") || starts("(?-i)")) {  // up to the group's end
      caseless_.back() = peek(2) == 'i';
      return copy(in_.find(')', at_) + 1 - at_);
    }
    caseless_.push_back(starts("(?i:") || (caseless_.back() && !starts("(?-i:")));
    if (peek(1) != '?') return copy(1);
    for (const std::string_view known :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"}) {
      if (starts(known)) return copy(known.size());
    }
    refuse("group");
  }

  void escape(bool in_class) {
    const char c = peek(1);
    const auto set = [&](std::string_view characters, bool negated) {
      if (in_class && negated) refuse("negated set inside a class");
      if (!in_class) out_ += negated ? "[^" : "[";
      out_ += characters;
      if (!in_class && characters == kWordish) out_ += kWordishAlone;
      if (!in_class) out_ += ']';
      at_ += 2;
    };
    switch (c) {
      case 's':
        return set(kSpaces, false);
      case 'S':
        if (in_class) return copy(2);
        return set(kSpaces, true);
      case 'w':
        return set(kWordish, false);
      case 'W':
        return set(kWordish, true);
      case 'h':
        return set(kHex, false);
      case 'd':
      case 'D':
      case 'r':
      case 'n':
      case 't':
      case 'f':
        return copy(2);
      case 'v':
        out_ += R"(\x0b)";
        at_ += 2;
        return;
      case 'p':
      case 'P':
        return property();
      case 'x':
        return copy(2);  // \xHH and \x{H...} are alike; what follows is copied as it is
      case 'u':
        out_ += fmt::format("\\x{{{}}}", in_.substr(at_ + 2, 4));
        at_ += 6;
        return;
      case 'b':
        if (in_class) refuse("\\b in a class");
        return copy(2);
      case 'B':
      case 'A':
      case 'z':
      case 'Z':
        if (in_class) refuse("anchor in a class");
        return copy(2);
      default:
        if (c == '\0' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
          refuse(fmt::format("\\{}", c));
        // An escaped character of more than one byte stands for itself.
        if (static_cast<unsigned char>(c) >= 0x80) {
          ++at_;
          return;
        }
        return copy(2);
    }
  }

  void property() {
    if (peek(2) != '{') refuse("property");
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) refuse("property");
    const std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    // Ruby's names for POSIX classes, where PCRE2 has others.
    if (name == "Punct" || name == "punct") {
      out_ += fmt::format("\\{}{{P}}", peek(1));
      at_ = end + 1;
      return;
    }
    for (const std::string_view refused : {"Alpha", "Alnum", "Space", "Word", "Graph", "Print",
                                           "Blank", "Cntrl", "XDigit", "Upper", "Lower", "Digit"}) {
      if (name == refused) refuse(fmt::format("property {}", name));
    }
    copy(end + 1 - at_);
  }

  // [A&&[B]] becomes (?:(?=[B])[A]), [^A&&[B]], which negates all of it, (?:(?!(?=[B])[A])(?s:.)):
  // PCRE2 10.42 has no intersection of classes.
  void character_class() {
    std::string outer;
    outer.swap(out_);
    out_ += '[';
    ++at_;
    const bool negated = peek() == '^';
    if (negated) copy(1);
    const size_t head = out_.size();
    if (peek() == ']') copy(1);
    std::string conditions;
    while (peek() != ']') {
      if (at_ >= in_.size()) refuse("open class");
      if (starts("&&[")) {
        if (out_.size() == head) refuse("intersection with nothing");
        if (caseless_.back()) refuse("intersection of classes in any case");
        at_ += 2;
        conditions += intersection();
      } else if (!conditions.empty()) {
        refuse("class that goes on behind an intersection");
      } else if (starts("[:")) {
        refuse("POSIX class");
      } else if (peek() == '[') {
        refuse("class inside a class");
      } else if (starts("&&")) {
        refuse("intersection");
      } else if (peek() == '\\') {
        escape(true);
      } else {
        copy(1);
      }
    }
    copy(1);
    if (conditions.empty()) {
      out_ = outer + out_;
    } else if (negated) {
      out_ = fmt::format("{}(?:(?!{}[{})(?s:.))", outer, conditions, out_.substr(head));
    } else {
      out_ = fmt::format("{}(?:{}{})", outer, conditions, out_);
    }
  }

  std::string intersection() {
    if (++depth_ > 8) refuse("depth of classes");
    const std::string before = std::move(out_);
    out_.clear();
    character_class();
    std::string inner = std::move(out_);
    out_ = before;
    --depth_;
    return "(?=" + inner + ")";
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  int depth_ = 0;
  std::vector<bool> caseless_{false};  // of each open group
};

}  // namespace

std::string pcre_from_ruby(std::string_view pattern) {
  return Rewriter(pattern).rewrite();
}

}  // namespace strata::models
