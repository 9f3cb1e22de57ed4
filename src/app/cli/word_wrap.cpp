#include "app/cli/word_wrap.h"

#include <fmt/core.h>

#include "app/cli/line_buffer.h"
#include "core/utf8.h"

namespace strata::app {

std::string WordWrap::feed(std::string_view text) {
  if (columns_ == 0) return std::string(text);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    next_code_point(text, at);
    put(text.substr(begin, at - begin), out);
  }
  return out;
}

void WordWrap::put(std::string_view character, std::string& out) {
  constexpr size_t kTab = 8;
  const bool is_space = character == " " || character == "\t";
  size_t width = display_columns(character);
  if (character == "\t") width = kTab - column_ % kTab;
  if (character == "\n" || is_space) {
    word_.clear();
    word_columns_ = 0;
    if (character == "\n" || column_ + width > columns_) {
      out += "\n";
      column_ = 0;
    } else {
      out += character;
      column_ += width;
    }
    return;
  }
  if (width > 1) {  // scripts without spaces break before any character
    word_.clear();
    word_columns_ = 0;
  }
  if (column_ + width > columns_) {
    if (word_columns_ > 0 && word_columns_ < column_) {
      out += fmt::format("\x1b[{}D\x1b[K\n", word_columns_) + word_;
    } else {
      out += "\n";
      word_.clear();
      word_columns_ = 0;
    }
    column_ = word_columns_;
  }
  out += character;
  column_ += width;
  word_ += character;
  word_columns_ += width;
}

}  // namespace strata::app
