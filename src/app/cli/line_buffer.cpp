#include "app/cli/line_buffer.h"

#include <algorithm>
#include <array>
#include <utility>

#include <utf8proc.h>

#include "core/utf8.h"

namespace strata::app {
namespace {

constexpr std::string_view kPasteBegin = "\x1b[200~";
constexpr std::string_view kPasteEnd = "\x1b[201~";
constexpr size_t kMaxPasteBytes = 4u << 20;

constexpr std::array<std::pair<std::string_view, Key>, 24> kSequences{{
    {"\x1b[A", Key::up},
    {"\x1b[B", Key::down},
    {"\x1b[C", Key::right},
    {"\x1b[D", Key::left},
    {"\x1b[H", Key::home},
    {"\x1b[F", Key::end},
    {"\x1bOH", Key::home},
    {"\x1bOF", Key::end},
    {"\x1b[3~", Key::del},
    {"\x1b[1~", Key::home},
    {"\x1b[4~", Key::end},
    {"\x1b[7~", Key::home},
    {"\x1b[8~", Key::end},
    {"\x1bOA", Key::up},
    {"\x1bOB", Key::down},
    {"\x1bOC", Key::right},
    {"\x1bOD", Key::left},
    {"\x1b[1;5C", Key::word_right},  // Ctrl and Alt with the arrows
    {"\x1b[1;5D", Key::word_left},
    {"\x1b[1;3C", Key::word_right},
    {"\x1b[1;3D", Key::word_left},
    {"\x1b"
     "f",
     Key::word_right},
    {"\x1b"
     "b",
     Key::word_left},
    {"\x1b\x7f", Key::kill_word},
}};

Key control_key(char c) {
  switch (c) {
    case '\r':
    case '\n':
      return Key::enter;
    case 0x7f:
    case 0x08:
      return Key::backspace;
    case 0x01:
      return Key::home;
    case 0x02:
      return Key::left;
    case 0x03:
      return Key::interrupt;
    case 0x04:
      return Key::end_of_input;
    case 0x05:
      return Key::end;
    case 0x06:
      return Key::right;
    case 0x0b:
      return Key::kill_to_end;
    case 0x0c:
      return Key::clear_screen;
    case 0x0e:
      return Key::down;
    case 0x10:
      return Key::up;
    case 0x15:
      return Key::kill_to_start;
    case 0x17:
      return Key::kill_word;
    default:
      return Key::text;
  }
}

// An escape sequence that is none of ours: its length, 0 while unfinished.
size_t foreign_sequence_length(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  if (bytes[1] != '[' && bytes[1] != 'O') return 2;
  for (size_t i = 2; i < bytes.size(); ++i) {
    if (bytes[i] >= 0x40 && bytes[i] <= 0x7e) return i + 1;
    if (i > 32) return i + 1;
  }
  return 0;
}

std::string normalise_paste(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\r')
      out += '\n';
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      out += c;
  }
  return repair_utf8(out);
}

}  // namespace

std::vector<KeyPress> KeyReader::feed(std::string_view bytes) {
  held_ += bytes;
  std::vector<KeyPress> presses;
  while (!held_.empty()) {
    KeyPress press;
    const size_t length = take(press);
    if (length == 0) break;
    held_.erase(0, length);
    if (press.key != Key::text || !press.text.empty()) presses.push_back(std::move(press));
  }
  return presses;
}

size_t KeyReader::take(KeyPress& press) {
  const std::string_view bytes = held_;
  if (bytes.starts_with(kPasteBegin)) {
    const size_t end = bytes.find(kPasteEnd);
    if (end == std::string_view::npos && bytes.size() < kMaxPasteBytes) return 0;
    const size_t stop = std::min(end, bytes.size());
    press = {Key::paste,
             normalise_paste(bytes.substr(kPasteBegin.size(), stop - kPasteBegin.size()))};
    return end == std::string_view::npos ? bytes.size() : end + kPasteEnd.size();
  }
  if (bytes[0] == '\x1b') {
    for (const auto& [sequence, key] : kSequences) {
      if (bytes.starts_with(sequence)) {
        press.key = key;
        return sequence.size();
      }
    }
    return kPasteBegin.starts_with(bytes) ? 0 : foreign_sequence_length(bytes);
  }
  if (static_cast<unsigned char>(bytes[0]) < 0x20 || bytes[0] == 0x7f) {
    press.key = control_key(bytes[0]);
    return 1;
  }
  const size_t whole = utf8_length_at(bytes, 0);
  if (whole == 0 && incomplete_utf8_tail(bytes) == bytes.size()) return 0;
  press.text = whole == 0 ? repair_utf8(bytes.substr(0, 1)) : std::string(bytes.substr(0, whole));
  return std::max<size_t>(whole, 1);
}

LineBuffer::Outcome LineBuffer::press(const KeyPress& press) {
  switch (press.key) {
    case Key::text:
    case Key::paste:
      text_.insert(cursor_, press.text);
      cursor_ += press.text.size();
      break;
    case Key::enter:
      return Outcome::submitted;
    case Key::interrupt:
      return Outcome::interrupted;
    case Key::end_of_input:
      if (text_.empty()) return Outcome::closed;
      text_.erase(cursor_, next_character() - cursor_);
      break;
    case Key::backspace: {
      const size_t from = previous_character();
      text_.erase(from, cursor_ - from);
      cursor_ = from;
      break;
    }
    case Key::del:
      text_.erase(cursor_, next_character() - cursor_);
      break;
    case Key::left:
      cursor_ = previous_character();
      break;
    case Key::right:
      cursor_ = next_character();
      break;
    case Key::home:
      cursor_ = 0;
      break;
    case Key::end:
      cursor_ = text_.size();
      break;
    case Key::word_left:
      cursor_ = word_start();
      break;
    case Key::word_right:
      while (cursor_ < text_.size() && text_[cursor_] == ' ') ++cursor_;
      while (cursor_ < text_.size() && text_[cursor_] != ' ') ++cursor_;
      break;
    case Key::up:
      browse(+1);
      break;
    case Key::down:
      browse(-1);
      break;
    case Key::kill_to_end:
      text_.erase(cursor_);
      break;
    case Key::kill_to_start:
      text_.erase(0, cursor_);
      cursor_ = 0;
      break;
    case Key::kill_word: {
      const size_t from = word_start();
      text_.erase(from, cursor_ - from);
      cursor_ = from;
      break;
    }
    case Key::clear_screen:
      break;
  }
  return Outcome::typing;
}

std::string LineBuffer::take() {
  std::string line = std::exchange(text_, {});
  clear();
  if (!line.empty() && (history_.empty() || history_.back() != line)) history_.push_back(line);
  return line;
}

void LineBuffer::clear() {
  text_.clear();
  draft_.clear();
  cursor_ = 0;
  browsing_ = 0;
}

size_t LineBuffer::word_start() const {
  size_t at = cursor_;
  while (at > 0 && text_[at - 1] == ' ') --at;
  while (at > 0 && text_[at - 1] != ' ') --at;
  return at;
}

size_t LineBuffer::previous_character() const {
  size_t at = cursor_;
  while (at > 0) {
    --at;
    if ((static_cast<unsigned char>(text_[at]) & 0xC0) != 0x80) break;
  }
  return at;
}

size_t LineBuffer::next_character() const {
  if (cursor_ >= text_.size()) return text_.size();
  size_t at = cursor_;
  next_code_point(text_, at);
  return at;
}

void LineBuffer::browse(int direction) {
  if (direction > 0 && browsing_ >= history_.size()) return;
  if (direction < 0 && browsing_ == 0) return;
  if (browsing_ == 0) draft_ = text_;
  browsing_ = direction > 0 ? browsing_ + 1 : browsing_ - 1;
  text_ = browsing_ == 0 ? draft_ : history_[history_.size() - browsing_];
  cursor_ = text_.size();
}

size_t display_columns(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const int width = utf8proc_charwidth(static_cast<utf8proc_int32_t>(next_code_point(text, at)));
    columns += static_cast<size_t>(std::max(width, 0));
  }
  return columns;
}

}  // namespace strata::app
