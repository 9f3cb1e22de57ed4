#include "app/cli/line_editor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include <termios.h>
#include <unistd.h>

#include "core/os.h"

namespace strata::app {
namespace {

constexpr size_t kMaxHistoryLines = 1000;

// Raw input for the life of the object; whatever happens the terminal gets its state back.
class RawTerminal {
 public:
  RawTerminal() {
    tcgetattr(STDIN_FILENO, &saved_);
    termios raw = saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    put("\x1b[?2004h");
  }
  ~RawTerminal() {
    put("\x1b[?2004l");
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  static void put(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }

 private:
  termios saved_{};
};

// History lines are one file line each; a newline inside is written as "\n", a backslash as "\\".
std::string escape_line(const std::string& line) {
  std::string out;
  for (const char c : line) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
  return out;
}

std::string unescape_line(const std::string& line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size())
      out += line[i];
    else
      out += line[++i] == 'n' ? '\n' : line[i];
  }
  return out;
}

std::vector<std::string> load_history(const fs::path& file) {
  std::vector<std::string> lines;
  if (file.empty() || !fs::exists(file)) return lines;
  std::istringstream stream(read_file(file, 16u << 20));
  for (std::string line; std::getline(stream, line);) lines.push_back(unescape_line(line));
  if (lines.size() > kMaxHistoryLines) lines.erase(lines.begin(), lines.end() - kMaxHistoryLines);
  return lines;
}

// What is shown of a line: a newline inside it as a visible mark, so that the row stays one row.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n')
      out += "⏎";
    else if (c == '\t')
      out += ' ';
    else
      out += c;
  }
  return out;
}

}  // namespace

LineEditor::LineEditor(std::filesystem::path history_file)
    : history_file_(std::move(history_file)), line_(load_history(history_file_)) {}

LineEditor::Input LineEditor::read(const std::string& prompt) {
  Input input = read_line(prompt);
  constexpr std::string_view kQuotes = "\"\"\"";
  if (input.end != End::line || !input.text.starts_with(kQuotes)) return input;
  std::string text = input.text.substr(kQuotes.size());
  while (!text.ends_with(kQuotes)) {
    const Input more = read_line("... ");
    if (more.end != End::line) return more;
    text += "\n" + more.text;
  }
  text.resize(text.size() - kQuotes.size());
  return {End::line, text};
}

LineEditor::Input LineEditor::read_line(const std::string& prompt) {
  const RawTerminal terminal;
  line_.clear();
  draw(prompt);
  while (true) {
    while (!pending_.empty()) {
      const KeyPress press = pending_.front();
      pending_.erase(pending_.begin());
      const auto outcome = line_.press(press);
      if (press.key == Key::clear_screen) RawTerminal::put("\x1b[2J\x1b[H");
      draw(prompt);
      if (outcome == LineBuffer::Outcome::typing) continue;
      RawTerminal::put("\r\n");
      if (outcome == LineBuffer::Outcome::interrupted) return {End::interrupted, {}};
      if (outcome == LineBuffer::Outcome::closed) return {End::closed, {}};
      std::string line = line_.take();
      remember(line);
      return {End::line, std::move(line)};
    }
    std::array<char, 4096> bytes{};
    const ssize_t n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {End::closed, {}};
    pending_ = keys_.feed({bytes.data(), static_cast<size_t>(n)});
  }
}

// One row: when the line is wider than the terminal, the part around the cursor is shown.
void LineEditor::draw(const std::string& prompt) const {
  const auto width = static_cast<size_t>(std::max(terminal_columns(STDOUT_FILENO), 10)) - 1;
  const size_t room = width - std::min(width - 1, display_columns(prompt));
  std::string left = shown(std::string_view(line_.text()).substr(0, line_.cursor()));
  std::string right = shown(std::string_view(line_.text()).substr(line_.cursor()));
  const auto drop_front = [](std::string& text) {
    size_t n = 1;
    while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
    text.erase(0, n);
  };
  while (display_columns(left) >= room) drop_front(left);
  while (!right.empty() && display_columns(left) + display_columns(right) > room) {
    while ((static_cast<unsigned char>(right.back()) & 0xC0) == 0x80) right.pop_back();
    right.pop_back();
  }
  std::string out = "\r\x1b[K" + prompt + left + right;
  size_t back = display_columns(right);
  if (line_.text().empty() && !placeholder_.empty()) {
    out += "\x1b[2m" + placeholder_ + "\x1b[0m";
    back = display_columns(placeholder_);
  }
  if (back > 0) out += "\x1b[" + std::to_string(back) + "D";
  RawTerminal::put(out);
}

void LineEditor::remember(const std::string& line) {
  if (!history_enabled_ || history_file_.empty() || line.empty()) return;
  make_directories(history_file_.parent_path(), 0700);
  File file = File::open(history_file_, File::Mode::append, 0600);
  const std::string text = escape_line(line) + "\n";
  file.write(std::as_bytes(std::span(text)));
}

}  // namespace strata::app
