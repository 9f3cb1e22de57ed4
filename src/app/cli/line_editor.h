// Reads lines from a terminal with editing, history and multi-line input.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/cli/line_buffer.h"

namespace strata::app {

class LineEditor {
 public:
  // Loads the history file when a path is given; saves every submitted line to it.
  explicit LineEditor(std::filesystem::path history_file);

  enum class End { line, interrupted, closed };
  struct Input {
    End end = End::line;
    std::string text;  // when interrupted: what stood in the line
  };
  // One line, or several between """ and """ (also behind "/set system"). Shows `prompt`;
  // continuation lines show "... ".
  Input read(const std::string& prompt);
  // Draws a hint in an empty line.
  void set_placeholder(std::string text) { placeholder_ = std::move(text); }
  // While set, lines are kept out of the history.
  void set_history_enabled(bool enabled) { history_enabled_ = enabled; }

 private:
  Input read_line(const std::string& prompt);
  void draw(const std::string& prompt);
  void leave_line(const std::string& prompt);
  void remember(const std::string& line);

  std::filesystem::path history_file_;
  LineBuffer line_;
  KeyReader keys_;
  std::vector<KeyPress> pending_;
  std::string placeholder_;
  size_t drawn_row_ = 0;  // of the cursor, in what draw() drew last
  bool history_enabled_ = true;
};

}  // namespace strata::app
