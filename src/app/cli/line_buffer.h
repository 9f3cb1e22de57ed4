// The line being typed: text, cursor and history, and what each key does to them. Pure, so that
// every key can be tested without a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strata::app {

enum class Key {
  text,  // the characters in KeyPress::text
  enter,
  backspace,
  del,
  left,
  right,
  home,
  end,
  word_left,
  word_right,
  up,
  down,
  kill_to_end,
  kill_to_start,
  kill_word,
  clear_screen,
  interrupt,     // Ctrl-C
  end_of_input,  // Ctrl-D
  paste,         // text of a bracketed paste, newlines included
};

struct KeyPress {
  Key key = Key::text;
  std::string text;
};

// Turns the bytes of a terminal into key presses; keeps the unfinished rest for the next bytes.
class KeyReader {
 public:
  std::vector<KeyPress> feed(std::string_view bytes);

 private:
  // Length of the complete press at the start of held_, 0 when more bytes are needed.
  size_t take(KeyPress& press);
  std::string held_;
};

class LineBuffer {
 public:
  explicit LineBuffer(std::vector<std::string> history = {}) : history_(std::move(history)) {}

  enum class Outcome { typing, submitted, interrupted, closed };
  Outcome press(const KeyPress& press);

  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }  // byte offset, at a character's start
  const std::vector<std::string>& history() const { return history_; }
  // Takes the submitted line away for use; adds it to the history unless it repeats the last one.
  std::string take();
  void clear();

 private:
  size_t previous_character() const;
  size_t next_character() const;
  size_t word_start() const;  // of the word left of the cursor
  void browse(int direction);

  std::vector<std::string> history_;
  std::string text_;
  std::string draft_;  // what was typed before history was browsed
  size_t cursor_ = 0;
  size_t browsing_ = 0;  // 0: the draft, n: n lines back
};

// Columns a text takes on a terminal (East Asian wide characters and emoji take two).
size_t display_columns(std::string_view text);

}  // namespace strata::app
