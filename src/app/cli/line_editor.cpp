#include "app/cli/line_editor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "app/cli/line_view.h"
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

size_t terminal_rows() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  return known ? size.ws_row : 24;
}

constexpr std::string_view kQuotes = "\"\"\"";

// Whether the line begins a text of several lines: """, or a /set with """ in it, not yet closed.
bool opens_text(const std::string& line) {
  if (!line.starts_with(kQuotes) && !line.starts_with("/set ")) return false;
  const size_t open = line.find(kQuotes);
  return open != std::string::npos && line.find(kQuotes, open + kQuotes.size()) == line.npos;
}

}  // namespace

LineEditor::LineEditor(std::filesystem::path history_file)
    : history_file_(std::move(history_file)), line_(load_history(history_file_)) {}

LineEditor::Input LineEditor::read(const std::string& prompt) {
  Input input = read_line(prompt);
  if (input.end != End::line) return input;
  if (opens_text(input.text)) {
    do {
      const Input more = read_line("... ");
      if (more.end != End::line) return more;
      input.text += "\n" + more.text;
    } while (!input.text.ends_with(kQuotes));
  }
  if (input.text.starts_with(kQuotes) && input.text.ends_with(kQuotes) &&
      input.text.size() >= 2 * kQuotes.size()) {
    input.text = input.text.substr(kQuotes.size(), input.text.size() - 2 * kQuotes.size());
  }
  return input;
}

LineEditor::Input LineEditor::read_line(const std::string& prompt) {
  const RawTerminal terminal;
  line_.clear();
  drawn_row_ = 0;
  draw(prompt);
  while (true) {
    while (!pending_.empty()) {
      const KeyPress press = pending_.front();
      pending_.erase(pending_.begin());
      const auto outcome = line_.press(press);
      if (press.key == Key::clear_screen) {
        RawTerminal::put("\x1b[2J\x1b[H");
        drawn_row_ = 0;
      }
      if (outcome == LineBuffer::Outcome::typing) {
        if (pending_.empty()) draw(prompt);
        continue;
      }
      leave_line(prompt);
      if (outcome == LineBuffer::Outcome::interrupted) return {End::interrupted, line_.text()};
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

void LineEditor::draw(const std::string& prompt) {
  const auto columns = static_cast<size_t>(std::max(terminal_columns(STDOUT_FILENO), 10));
  const LineView view =
      lay_out_line(prompt, line_.text(), line_.cursor(), columns, terminal_rows());
  std::string out = draw_line(view, drawn_row_);
  if (line_.text().empty() && !placeholder_.empty()) {
    out += fmt::format("\x1b[2m{}\x1b[0m\x1b[{}D", placeholder_, display_columns(placeholder_));
  }
  drawn_row_ = view.cursor_row;
  RawTerminal::put(out);
}

// Draws the line as it stays on the screen, without the hint, and goes below it.
void LineEditor::leave_line(const std::string& prompt) {
  const auto columns = static_cast<size_t>(std::max(terminal_columns(STDOUT_FILENO), 10));
  const LineView view =
      lay_out_line(prompt, line_.text(), line_.text().size(), columns, terminal_rows());
  RawTerminal::put(draw_line(view, drawn_row_) + "\r\n");
  drawn_row_ = 0;
}

void LineEditor::remember(const std::string& line) {
  if (!history_enabled_ || history_file_.empty() || line.empty()) return;
  make_directories(history_file_.parent_path(), 0700);
  File file = File::open(history_file_, File::Mode::append, 0600);
  const std::string text = escape_line(line) + "\n";
  file.write(std::as_bytes(std::span(text)));
}

}  // namespace strata::app
