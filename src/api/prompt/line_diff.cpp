#include <algorithm>
#include <vector>

#include "api/prompt/registry.h"

namespace strata::api {
namespace {

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

void append(std::string& out, std::string_view mark, std::string_view line) {
  out += mark;
  out += line;
  out += '\n';
}

// Lengths of the longest common subsequences of from[i..] and to[j..], row by row.
std::vector<uint16_t> common_lengths(const Lines& from, const Lines& to) {
  const size_t width = to.size() + 1;
  std::vector<uint16_t> length((from.size() + 1) * width, 0);
  for (size_t i = from.size(); i-- > 0;) {
    for (size_t j = to.size(); j-- > 0;) {
      const size_t at = i * width + j;
      length[at] = from[i] == to[j] ? static_cast<uint16_t>(length[at + width + 1] + 1)
                                    : std::max(length[at + width], length[at + 1]);
    }
  }
  return length;
}

void append_changes(std::string& out, const Lines& from, const Lines& to) {
  size_t i = 0;
  size_t j = 0;
  if (from.size() <= kMaxDiffLines && to.size() <= kMaxDiffLines) {
    const auto length = common_lengths(from, to);
    const size_t width = to.size() + 1;
    while (i < from.size() && j < to.size()) {
      if (from[i] == to[j]) {
        append(out, "  ", from[i++]);
        ++j;
      } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
        append(out, "- ", from[i++]);
      } else {
        append(out, "+ ", to[j++]);
      }
    }
  }
  while (i < from.size()) append(out, "- ", from[i++]);
  while (j < to.size()) append(out, "+ ", to[j++]);
}

}  // namespace

std::string line_diff(std::string_view from, std::string_view to) {
  Lines a = lines_of(from);
  Lines b = lines_of(to);
  const auto [end_a, end_b] = std::ranges::mismatch(a, b);
  std::string out;
  for (auto line = a.begin(); line != end_a; ++line) append(out, "  ", *line);
  a.erase(a.begin(), end_a);
  b.erase(b.begin(), end_b);
  Lines same;
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    same.push_back(a.back());
    a.pop_back();
    b.pop_back();
  }
  append_changes(out, a, b);
  for (size_t i = same.size(); i-- > 0;) append(out, "  ", same[i]);
  return out;
}

}  // namespace strata::api
