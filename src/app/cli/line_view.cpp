#include "app/cli/line_view.h"

#include <algorithm>

#include <fmt/core.h>

#include "app/cli/line_buffer.h"
#include "core/utf8.h"

namespace strata::app {
namespace {

constexpr std::string_view kContinued = "... ";

void keep_rows_around_cursor(LineView& view, size_t height) {
  if (view.rows.size() <= height) return;
  const size_t last = std::min(std::max(view.cursor_row + 1, height), view.rows.size());
  const auto first = static_cast<std::ptrdiff_t>(last - height);
  view.rows.erase(view.rows.begin() + static_cast<std::ptrdiff_t>(last), view.rows.end());
  view.rows.erase(view.rows.begin(), view.rows.begin() + first);
  view.cursor_row -= last - height;
}

}  // namespace

LineView lay_out_line(std::string_view prompt, std::string_view text, size_t cursor, size_t columns,
                      size_t height) {
  const size_t width = std::max<size_t>(columns, 10) - 1;
  LineView view{{std::string(prompt)}, 0, 0};
  size_t column = display_columns(prompt);
  const auto new_row = [&](std::string_view begin) {
    view.rows.emplace_back(begin);
    column = begin.size();
  };
  for (size_t at = 0; at <= text.size();) {
    const size_t begin = at;
    const bool at_end = at == text.size();
    if (!at_end) next_code_point(text, at);
    const std::string_view character = at_end ? " " : text.substr(begin, at - begin);
    const std::string_view shown = character == "\t" ? " " : character;
    const size_t taken = character == "\n" ? 0 : display_columns(shown);
    if (column + taken > width) new_row("");
    if (begin == cursor) {
      view.cursor_row = view.rows.size() - 1;
      view.cursor_column = column;
    }
    if (at_end) break;
    if (character == "\n") {
      new_row(kContinued);
    } else {
      view.rows.back() += shown;
      column += taken;
    }
  }
  keep_rows_around_cursor(view, std::max<size_t>(height, 1));
  return view;
}

std::string draw_line(const LineView& view, size_t old_row) {
  std::string out = old_row > 0 ? fmt::format("\x1b[{}A", old_row) : "";
  out += "\r\x1b[J";
  for (size_t i = 0; i < view.rows.size(); ++i) out += (i == 0 ? "" : "\r\n") + view.rows[i];
  if (const size_t up = view.rows.size() - 1 - view.cursor_row; up > 0) {
    out += fmt::format("\x1b[{}A", up);
  }
  out += "\r";
  if (view.cursor_column > 0) out += fmt::format("\x1b[{}C", view.cursor_column);
  return out;
}

}  // namespace strata::app
