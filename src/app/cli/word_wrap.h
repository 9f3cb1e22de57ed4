// Breaks streamed text at words to the width of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strata::app {

// Text goes out at once; a word that turns out too long for its line is taken back with the
// terminal's own commands and written on the next one.
class WordWrap {
 public:
  // columns: of the terminal; 0 leaves every text as it is.
  explicit WordWrap(size_t columns) : columns_(columns > 1 ? columns - 1 : 0) {}
  // What to write for the next piece; whole UTF-8 characters.
  std::string feed(std::string_view text);

 private:
  void put(std::string_view character, std::string& out);
  size_t columns_;  // one less than the terminal has, so that the cursor never waits at its edge
  size_t column_ = 0;
  std::string word_;  // what of the word is on the line
  size_t word_columns_ = 0;
};

}  // namespace strata::app
