#include "app/cli/word_wrap.h"

#include <gtest/gtest.h>

#include "app/cli/testing/screen.h"

namespace strata::app {
namespace {

// What a terminal of so many columns shows, the text arriving in pieces of `piece` bytes.
std::string shown(size_t columns, const std::string& text, size_t piece) {
  WordWrap wrap(columns);
  testing::Screen screen(columns);
  for (size_t at = 0; at < text.size(); at += piece)
    screen.write(wrap.feed(text.substr(at, piece)));
  return screen.text();
}

TEST(WordWrap, BreaksBetweenWordsHoweverTheTextArrives) {
  const std::string text = "the ship of the gods\nsails";
  for (const size_t piece : {1, 2, 3, 100}) {
    EXPECT_EQ(shown(12, text, piece), "the ship of\nthe gods\nsails") << piece;
  }
}

TEST(WordWrap, AWordLongerThanALineIsCut) {
  EXPECT_EQ(shown(6, "ab cdefghijkl m", 1), "ab\ncdefg\nhijkl\nm");
}

TEST(WordWrap, IndentationAndBlankLinesStay) {
  EXPECT_EQ(shown(20, "a\n\n    b c\n", 1), "a\n\n    b c\n");
}

TEST(WordWrap, WideCharactersBreakAnywhere) {
  WordWrap wrap(6);  // two wide characters a line: the last column stays free
  EXPECT_EQ(wrap.feed("漢字漢字漢"), "漢字\n漢字\n漢");
}

TEST(WordWrap, WithoutATerminalNothingChanges) {
  const std::string text = "a very long line that is not broken";
  EXPECT_EQ(WordWrap(0).feed(text), text);
}

}  // namespace
}  // namespace strata::app
