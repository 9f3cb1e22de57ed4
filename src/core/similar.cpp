#include "core/similar.h"

#include <algorithm>

#include <fmt/core.h>

namespace strata {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

constexpr size_t kMaxWord = 256;  // a longer one is no typing mistake; bounds the table

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::vector<std::string> similar_to(std::string_view word,
                                    std::span<const std::string> candidates) {
  if (word.empty() || word.size() > kMaxWord) return {};
  const std::string wanted = lower(word);
  const size_t allowed = std::max<size_t>(1, wanted.size() / 3);
  std::vector<std::pair<size_t, std::string>> near;
  for (const auto& candidate : candidates) {
    if (candidate.size() > kMaxWord) continue;
    const std::string name = lower(candidate);
    const size_t distance = edit_distance(wanted, name);
    if (distance <= allowed || (wanted.size() >= 2 && name.starts_with(wanted))) {
      near.emplace_back(distance, candidate);
    }
  }
  std::ranges::sort(near);
  std::vector<std::string> out;
  for (auto& [distance, name] : near) {
    if (out.size() < 3 && std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const auto near = similar_to(word, candidates);
  if (near.empty()) return {};
  std::string list;
  for (size_t i = 0; i < near.size(); ++i) {
    if (i > 0) list += i + 1 == near.size() ? " or " : ", ";
    list += fmt::format("'{}'", near[i]);
  }
  return fmt::format("did you mean {}?", list);
}

}  // namespace strata
