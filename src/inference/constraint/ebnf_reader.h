// What the readers of GBNF and Lark have in common: a place in a text, quoted strings, messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace strata::inference {

class EbnfReader {
 public:
  EbnfReader(std::string_view text, std::string_view kind) : text_(text), kind_(kind) {}

  bool more() const { return at_ < text_.size(); }
  char peek() const { return more() ? text_[at_] : '\0'; }
  bool next_is(std::string_view part) const { return text_.substr(at_).starts_with(part); }
  bool take(std::string_view part) {
    if (!next_is(part)) return false;
    at_ += part.size();
    return true;
  }
  std::string_view rest() const { return text_.substr(at_); }
  void skip(size_t bytes) { at_ += bytes; }
  size_t at() const { return at_; }
  void go_to(size_t place) { at_ = place; }

  // Error{invalid_argument} with the line.
  [[noreturn]] void refuse(std::string_view what) const;
  // Letters, digits and what stands in `others`.
  std::string name(std::string_view others);
  // Behind the opening quote, up to `end`, escapes read: \n \t \r \\ \" \' \xHH \uHHHH \UHHHHHHHH.
  std::string quoted(char end);
  // One character of the above.
  char32_t character();
  // m, m,n and the like; most = -1: without end.
  std::pair<int32_t, int32_t> bounds(std::string_view between);
  int32_t number();
  // *, +, ? or {m,n}: how often what stands before it; nothing where there is none of these.
  std::optional<std::pair<int32_t, int32_t>> repetition();
  // <name>, with its brackets.
  std::string_view token();

 private:
  char32_t hex(int digits);

  const std::string_view text_;
  const std::string_view kind_;  // for messages
  size_t at_ = 0;
};

}  // namespace strata::inference
