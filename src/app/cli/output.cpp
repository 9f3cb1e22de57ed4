#include "app/cli/output.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <unistd.h>

#include "core/error.h"
#include "core/utf8.h"

namespace strata::app {
namespace {

std::string table_line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - n_code_points(cells[i]) + 3, ' ');
  }
  return line + "\n";
}

}  // namespace

void print(std::string_view text) {
  const bool wrote = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (wrote && std::fflush(stdout) == 0) return;
  const int why = errno;
  if (why == EPIPE) throw ReaderGone();
  throw Error(Code::cancelled, fmt::format("stdout took not everything: {}", std::strerror(why)));
}

void print_json(const json::value& value) {
  print(to_json(value, {.indent = 2}) + "\n");
}

void complain(std::string_view line) {
  std::string text(line);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_table(const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& cell : header) widths.push_back(n_code_points(cell));
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], n_code_points(row[i]));
  }
  std::string out = table_line(header, widths);
  for (const auto& row : rows) out += table_line(row, widths);
  print(out);
}

std::string human_age(int64_t seconds) {
  struct Unit {
    int64_t seconds;
    const char* name;
  };
  constexpr std::array<Unit, 6> units{{{31536000, "year"},
                                       {2592000, "month"},
                                       {604800, "week"},
                                       {86400, "day"},
                                       {3600, "hour"},
                                       {60, "minute"}}};
  const int64_t distance = seconds < 0 ? -seconds : seconds;
  for (const auto& unit : units) {
    if (distance < unit.seconds) continue;
    const int64_t n = distance / unit.seconds;
    const std::string text = fmt::format("{} {}{}", n, unit.name, n == 1 ? "" : "s");
    return seconds < 0 ? "in " + text : text + " ago";
  }
  return seconds < 0 ? "in less than a minute" : "just now";
}

bool stdout_is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool stdin_is_terminal() {
  return isatty(STDIN_FILENO) == 1;
}

}  // namespace strata::app
