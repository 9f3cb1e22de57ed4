#include "app/cli/line_view.h"

#include <gtest/gtest.h>

#include "app/cli/testing/screen.h"

namespace strata::app {
namespace {

using Rows = std::vector<std::string>;

TEST(LineView, ALongLineGoesOnInTheNextRow) {
  const auto view = lay_out_line(">>> ", "abcdefghij", 10, 12, 5);
  EXPECT_EQ(view.rows, (Rows{">>> abcdefg", "hij"}));
  EXPECT_EQ(view.cursor_row, 1u);
  EXPECT_EQ(view.cursor_column, 3u);
}

TEST(LineView, AFullRowPutsTheCursorInTheNextOne) {
  const auto view = lay_out_line(">>> ", "abcdefg", 7, 12, 5);
  EXPECT_EQ(view.rows, (Rows{">>> abcdefg", ""}));
  EXPECT_EQ(view.cursor_row, 1u);
  EXPECT_EQ(view.cursor_column, 0u);
}

TEST(LineView, NewlinesOfAPasteBeginRows) {
  const auto view = lay_out_line(">>> ", "one\ntwo", 3, 80, 5);
  EXPECT_EQ(view.rows, (Rows{">>> one", "... two"}));
  EXPECT_EQ(view.cursor_row, 0u);
  EXPECT_EQ(view.cursor_column, 7u);
}

TEST(LineView, WideCharactersAreNotCut) {
  const auto view = lay_out_line(">>> ", "abcd漢字", 0, 11, 5);
  EXPECT_EQ(view.rows, (Rows{">>> abcd漢", "字"}));
}

TEST(LineView, OfManyRowsThoseAroundTheCursorAreShown) {
  const std::string text = "a\nb\nc\nd\ne";
  EXPECT_EQ(lay_out_line("> ", text, 9, 20, 2).rows, (Rows{"... d", "... e"}));
  EXPECT_EQ(lay_out_line("> ", text, 0, 20, 2).rows, (Rows{"> a", "... b"}));
  const auto middle = lay_out_line("> ", text, 4, 20, 2);
  EXPECT_EQ(middle.rows, (Rows{"... b", "... c"}));
  EXPECT_EQ(middle.cursor_row, 1u);
}

TEST(LineView, RedrawingReplacesWhatWasThere) {
  testing::Screen screen(12);
  auto view = lay_out_line(">>> ", "abcdefghij", 1, 12, 5);
  screen.write(draw_line(view, 0));
  EXPECT_EQ(screen.row(), 0u);
  EXPECT_EQ(screen.column(), 5u);
  screen.write(draw_line(lay_out_line(">>> ", "a", 1, 12, 5), view.cursor_row));
  EXPECT_EQ(screen.text(), ">>> a");
  view = lay_out_line(">>> ", "abcdefghij", 10, 12, 5);
  screen.write(draw_line(view, 0));
  screen.write(draw_line(lay_out_line(">>> ", "xy", 2, 12, 5), view.cursor_row));
  EXPECT_EQ(screen.text(), ">>> xy");
}

}  // namespace
}  // namespace strata::app
