#include "inference/constraint/token_groups.h"

#include <algorithm>
#include <array>
#include <map>

namespace strata::inference {
namespace {

// Kinds of characters: what sets in patterns seldom part. All others are kinds of their own.
constexpr std::array<std::string_view, 5> kKinds{"abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF",
                                                 "GHIJKLMNOPQRSTUVWXYZ", "0123456789"};

Characters characters_of(std::string_view text) {
  Characters found;
  for (const char c : text) found.add(static_cast<uint8_t>(c));
  return found;
}

// Kinds that some of the characters are of.
Characters kinds_of(const Characters& of) {
  Characters found = of;
  for (const std::string_view kind : kKinds) {
    const Characters all = characters_of(kind);
    if (!(of & all).empty()) found = found | all;
  }
  return found;
}

int32_t count_characters(std::string_view text) {
  return static_cast<int32_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

TokenGroups::TokenGroups(const std::vector<int32_t>& tokens, size_t n_words,
                         std::function<std::string_view(int32_t)> bytes_of)
    : n_words_(n_words), bytes_of_(std::move(bytes_of)) {
  std::map<Characters, std::vector<Member>> groups;
  for (const int32_t token : tokens) {
    const std::string_view text = bytes_of_(token);
    groups[kinds_of(characters_of(text))].push_back({token, count_characters(text)});
  }
  members_.reserve(tokens.size());
  for (auto& [kinds, members] : groups) {
    std::ranges::sort(members, {},
                      [](const Member& m) { return std::pair(m.characters, m.token); });
    const auto first = static_cast<int32_t>(members_.size());
    members_.insert(members_.end(), members.begin(), members.end());
    groups_.push_back({kinds, first, static_cast<int32_t>(members_.size())});
  }
}

TokenGroups::Bits TokenGroups::find(const Characters& of) const {
  Bits bits(n_words_);
  const Characters kinds = kinds_of(of);
  for (const Group& group : groups_) {
    if (!kinds.has(group.kinds)) continue;
    const bool all = of.has(group.kinds);
    for (auto i = static_cast<size_t>(group.first); i < static_cast<size_t>(group.end); ++i) {
      const int32_t token = members_[i].token;
      if (!all && !of.has(characters_of(bytes_of_(token)))) continue;
      bits[static_cast<size_t>(token) >> 6] |= uint64_t{1} << (token & 63);
    }
  }
  return bits;
}

std::shared_ptr<const TokenGroups::Bits> TokenGroups::all_of(const Characters& of) const {
  constexpr size_t kMostKept = 16;
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(kept_, of, [](const auto& kept) { return kept.first; });
  if (known != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, known);
  } else {
    kept_.emplace_front(of, std::make_shared<const Bits>(find(of)));
    if (kept_.size() > kMostKept) kept_.pop_back();
  }
  return kept_.front().second;
}

void TokenGroups::add(const Characters& of, int32_t longest, std::vector<uint64_t>& bits) const {
  Bits found = *all_of(of);
  const Characters kinds = kinds_of(of);
  for (const Group& group : groups_) {
    auto i = static_cast<size_t>(group.end) - 1;
    if (members_[i].characters <= longest || !kinds.has(group.kinds)) continue;
    for (; members_[i].characters > longest; --i) {
      const int32_t token = members_[i].token;
      found[static_cast<size_t>(token) >> 6] &= ~(uint64_t{1} << (token & 63));
      if (i == static_cast<size_t>(group.first)) break;
    }
  }
  for (size_t word = 0; word < found.size(); ++word) bits[word] |= found[word];
}

}  // namespace strata::inference
