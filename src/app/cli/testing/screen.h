// A terminal's screen for tests: narrow characters, newlines, and the few commands that we send.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace strata::app::testing {

class Screen {
 public:
  explicit Screen(size_t columns) : columns_(columns) {}

  void write(std::string_view text) {
    for (size_t at = 0; at < text.size(); ++at) {
      if (text.substr(at, 2) == "\x1b[") {
        const size_t end = text.find_first_of("ABCDJKhl", at);
        command(text.substr(at + 2, end - at - 2), text[end]);
        at = end;
      } else if (text[at] == '\n') {
        row_ += 1;
        column_ = 0;
        if (row_ == rows_.size()) rows_.emplace_back();
      } else if (text[at] == '\r') {
        column_ = 0;
      } else {
        put(text[at]);
      }
    }
  }

  // The rows without spaces at their ends, joined by newlines.
  std::string text() const {
    std::string out;
    for (size_t i = 0; i < rows_.size(); ++i) {
      std::string row = rows_[i];
      row.erase(row.find_last_not_of(' ') + 1);
      out += (i == 0 ? "" : "\n") + row;
    }
    return out;
  }
  size_t row() const { return row_; }
  size_t column() const { return column_; }

 private:
  void put(char c) {
    if (column_ == columns_) write("\n");  // the terminal's own wrap
    std::string& row = rows_[row_];
    if (row.size() <= column_) row.resize(column_ + 1, ' ');
    row[column_++] = c;
  }
  void command(std::string_view number, char what) {
    const auto n = static_cast<size_t>(number.empty() ? 1 : std::atoi(std::string(number).c_str()));
    std::string& row = rows_[row_];
    if (what == 'A') row_ -= std::min(n, row_);
    if (what == 'B') row_ = std::min(row_ + n, rows_.size() - 1);
    if (what == 'C') column_ = std::min(column_ + n, columns_ - 1);
    if (what == 'D') column_ -= std::min(n, column_);
    if (what == 'K' || what == 'J') row.resize(std::min(row.size(), column_));
    if (what == 'J') rows_.resize(row_ + 1);
  }

  size_t columns_;
  std::vector<std::string> rows_{""};
  size_t row_ = 0;
  size_t column_ = 0;
};

}  // namespace strata::app::testing
