#include "models/chat/jinja/lexer.h"

#include <array>

#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/chat/jinja/unicode.h"

namespace strata::models::jinja {
namespace {

constexpr auto npos = std::string_view::npos;

// "\r\n" and "\r" become "\n"; one newline at the very end is dropped.
std::string normalized(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool is_word(char c) {
  return is_ascii_alnum(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalized(source)), text_(source_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    emit(TokenType::end, text_.size(), "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(size_t at, const std::string& message) {
    throw Error(Code::invalid_argument, located(position(at), message));
  }

  // Positions are asked for in ascending order, so that counting is linear in all.
  Position position(size_t at) {
    if (at < counted_) {
      counted_ = 0;
      where_ = {};
    }
    for (; counted_ < at; ++counted_) {
      if (text_[counted_] == '\n') {
        ++where_.line;
        where_.column = 1;
      } else if ((static_cast<unsigned char>(text_[counted_]) & 0xC0) != 0x80) {
        ++where_.column;
      }
    }
    return where_;
  }

  void emit(TokenType type, size_t at, std::string text) {
    tokens_.push_back({type, position(at), std::move(text)});
  }

  bool starts(size_t at, std::string_view what) const {
    return text_.substr(at, what.size()) == what;
  }
  size_t skip_space(size_t at) const { return at + leading_space(text_.substr(at)); }

  // Text up to the next tag, then the tag.
  void root() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = text_.find('{', tag);
      if (tag == npos || tag + 1 >= text_.size()) {
        data(at_, text_.size());
        at_ = text_.size();
        return;
      }
      const char kind = text_[tag + 1];
      if (kind == '%' || kind == '{' || kind == '#') break;
    }
    const char kind = text_[tag + 1];
    data(at_, stripped_end(at_, tag, sign_at(tag + 2), kind != '{'));
    size_t inside = tag + 2 + (sign_at(tag + 2) != 0 ? 1 : 0);
    line_starting_ = false;
    if (kind == '#') return comment(tag, inside);
    if (kind == '%' && raw(tag, inside)) return;
    emit(kind == '{' ? TokenType::variable_begin : TokenType::block_begin, tag, "");
    at_ = inside;
    expression(kind == '{');
  }

  char sign_at(size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : '\0';
  }

  // Where the text [begin, end) in front of a tag ends once whitespace control has had its say.
  size_t stripped_end(size_t begin, size_t end, char sign, bool is_block) const {
    const auto data = text_.substr(begin, end - begin);
    if (sign == '-') return end - trailing_space(data);
    if (sign == '+' || !is_block) return end;
    const size_t newline = data.rfind('\n');
    const size_t line = newline == npos ? 0 : newline + 1;
    if (line == 0 && !line_starting_) return end;
    return leading_space(data.substr(line)) == data.size() - line ? begin + line : end;
  }

  void data(size_t begin, size_t end) {
    if (end > begin) {
      emit(TokenType::data, begin, std::string(text_.substr(begin, end - begin)));
    }
  }

  // Behind the end of a tag whose closing sign stands at `at`: "-" eats whitespace, a plain end of
  // a block eats one newline.
  size_t behind_end(size_t at, size_t length, char sign, bool trims) {
    size_t next = at + length;
    if (sign == '-') next = skip_space(next);
    if (sign == '\0' && trims && next < text_.size() && text_[next] == '\n') ++next;
    line_starting_ = next > 0 && text_[next - 1] == '\n';
    return next;
  }

  void comment(size_t tag, size_t inside) {
    // "{#-#}" closes itself: the minus belongs to the beginning.
    const size_t end = text_.find("#}", inside);
    if (end == npos) fail(tag, "missing end of comment tag");
    const char sign = end > inside ? sign_at(end - 1) : '\0';
    at_ = behind_end(end, 2, sign, true);
  }

  bool raw(size_t tag, size_t inside) {
    size_t at = skip_space(inside);
    if (!starts(at, "raw")) return false;
    at = skip_space(at + 3);
    const bool minus = starts(at, "-%}");
    if (!minus && !starts(at, "%}")) return false;
    const size_t body = behind_end(at, minus ? 3 : 2, minus ? '-' : '\0', false);
    for (size_t end = text_.find("{%", body); end != npos; end = text_.find("{%", end + 1)) {
      const char sign = sign_at(end + 2);
      size_t close = skip_space(end + 2 + (sign != 0 ? 1 : 0));
      if (!starts(close, "endraw")) continue;
      close = skip_space(close + 6);
      const char close_sign = sign_at(close);
      if (close_sign != 0) ++close;
      if (!starts(close, "%}")) continue;
      data(body, stripped_end(body, end, sign, true));
      at_ = behind_end(close, 2, close_sign, true);
      return true;
    }
    fail(tag, "missing end of raw directive");
  }

  void expression(bool variable) {
    std::string open;  // brackets that wait for their end
    const std::string_view closing = variable ? "}}" : "%}";
    for (;;) {
      at_ = skip_space(at_);
      if (at_ >= text_.size()) return;  // the parser says what is missing
      if (open.empty() && close_tag(closing, variable)) return;
      const char c = text_[at_];
      if (is_ascii_digit(c)) {
        number();
      } else if (is_word(c)) {
        word();
      } else if (c == '"' || c == '\'') {
        string(c);
      } else {
        sign(open);
      }
    }
  }

  bool close_tag(std::string_view closing, bool variable) {
    const char sign = sign_at(at_);
    const bool takes_sign = sign == '-' || (sign == '+' && !variable);
    const size_t end = at_ + (takes_sign ? 1 : 0);
    if (!starts(end, closing)) return false;
    emit(variable ? TokenType::variable_end : TokenType::block_end, at_, "");
    at_ = behind_end(end, 2, takes_sign ? sign : '\0', !variable);
    return true;
  }

  void sign(std::string& open) {
    static constexpr std::array<std::string_view, 6> kLong{"//", "**", "==", "!=", ">=", "<="};
    for (const auto two : kLong) {
      if (!starts(at_, two)) continue;
      emit(TokenType::sign, at_, std::string(two));
      at_ += 2;
      return;
    }
    const char c = text_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == npos) {
      fail(at_, fmt::format("unexpected character '{}'", text_.substr(at_, 1)));
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) fail(at_, fmt::format("unexpected '{}'", c));
      if (open.back() != c)
        fail(at_, fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    emit(TokenType::sign, at_, std::string(1, c));
    ++at_;
  }

  void word() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    emit(TokenType::name, begin, std::string(text_.substr(begin, at_ - begin)));
  }

  size_t digits(size_t at) const {  // "1_000": an underscore stands between digits
    while (at < text_.size() &&
           (is_ascii_digit(text_[at]) ||
            (text_[at] == '_' && at + 1 < text_.size() && is_ascii_digit(text_[at + 1])))) {
      ++at;
    }
    return at;
  }

  void number() {
    const size_t begin = at_;
    if (text_[at_] == '0' && at_ + 1 < text_.size() &&
        std::string_view("xXoObB").find(text_[at_ + 1]) != npos) {
      at_ += 2;
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      emit(TokenType::integer, begin, std::string(text_.substr(begin, at_ - begin)));
      return;
    }
    at_ = digits(at_);
    bool floating = false;
    const bool behind_dot = begin > 0 && text_[begin - 1] == '.';
    if (!behind_dot && at_ + 1 < text_.size() && text_[at_] == '.' &&
        is_ascii_digit(text_[at_ + 1])) {
      at_ = digits(at_ + 1);
      floating = true;
    }
    if (!behind_dot && at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      const size_t exponent = at_ + 1 + (sign_at(at_ + 1) != 0 ? 1 : 0);
      if (exponent < text_.size() && is_ascii_digit(text_[exponent])) {
        at_ = digits(exponent);
        floating = true;
      }
    }
    std::string plain;
    for (const char c : text_.substr(begin, at_ - begin)) {
      if (c != '_') plain += c;
    }
    emit(floating ? TokenType::floating : TokenType::integer, begin, std::move(plain));
  }

  void string(char quote) {
    const size_t begin = at_++;
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') {
        escape(value);
      } else {
        value += text_[at_++];
      }
    }
    if (at_ >= text_.size()) fail(begin, "a string that does not end");
    ++at_;
    emit(TokenType::string, begin, std::move(value));
  }

  void escape(std::string& value) {
    static constexpr std::string_view kLetters = "\\'\"abfnrtv\n";
    static constexpr std::array<std::string_view, 11> kMeanings{"\\", "'",  "\"", "\a", "\b", "\f",
                                                                "\n", "\r", "\t", "\v", ""};
    const size_t begin = at_++;
    if (at_ >= text_.size()) fail(begin, "a string that does not end");
    const char c = text_[at_++];
    const size_t simple = kLetters.find(c);
    if (simple != npos) {
      value += kMeanings[simple];
    } else if (c >= '0' && c <= '7') {
      char32_t code = static_cast<char32_t>(c - '0');
      for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
        code = code * 8 + static_cast<char32_t>(text_[at_++] - '0');
      }
      append_utf8(value, code);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_utf8(value, code_point(begin, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c == 'N') {
      fail(begin, "characters by name (\\N{...}) are not supported");
    } else {
      value += '\\';
      value += c;
    }
  }

  char32_t code_point(size_t begin, size_t n_digits) {
    char32_t code = 0;
    for (size_t i = 0; i < n_digits; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const size_t digit = std::string_view("0123456789abcdefABCDEF").find(c);
      if (digit == npos) fail(begin, "an escape with too few hexadecimal digits");
      code = code * 16 + static_cast<char32_t>(digit < 16 ? digit : digit - 6);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      fail(begin, "an escape that is no Unicode character");
    }
    return code;
  }

  std::string source_;
  std::string_view text_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  bool line_starting_ = true;  // the last thing read ended a line
  size_t counted_ = 0;
  Position where_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace strata::models::jinja
