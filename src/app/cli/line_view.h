// How the line being typed looks on a terminal: rows of a given width, and where the cursor is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace strata::app {

struct LineView {
  std::vector<std::string> rows;
  size_t cursor_row = 0;
  size_t cursor_column = 0;
};

// `cursor` is a byte offset in `text`. A row holds less than `columns` columns; a newline in the
// text begins a row with "... ". When there are more than `height` rows, those around the cursor.
LineView lay_out_line(std::string_view prompt, std::string_view text, size_t cursor, size_t columns,
                      size_t height);

// The bytes that draw `view` where a view with its cursor in row `old_row` was drawn before.
std::string draw_line(const LineView& view, size_t old_row);

}  // namespace strata::app
