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
    Group group{kinds, first, static_cast<int32_t>(members_.size()), members.back().characters};
    longest_ = std::max(longest_, group.longest);
    if (members.size() > n_words_ / 2) {
      group.whole = static_cast<int32_t>(wholes_.size());
      TokenBits& whole = wholes_.emplace_back(n_words_);
      for (const Member& member : members) allow(whole, member.token);
    }
    groups_.push_back(group);
  }
}

TokenBits TokenGroups::find(const Characters& of) const {
  TokenBits bits(n_words_);
  const Characters kinds = kinds_of(of);
  for (const Group& group : groups_) {
    if (!kinds.has(group.kinds)) continue;
    const bool all = of.has(group.kinds);
    if (all && group.whole >= 0) {
      unite(bits, wholes_[static_cast<size_t>(group.whole)]);
      continue;
    }
    for (auto i = static_cast<size_t>(group.first); i < static_cast<size_t>(group.end); ++i) {
      const int32_t token = members_[i].token;
      if (!all && !of.has(characters_of(bytes_of_(token)))) continue;
      allow(bits, token);
    }
  }
  return bits;
}

void TokenGroups::leave_out_longer(const Set& set, TokenBits& bits) const {
  const Characters kinds = kinds_of(set.of);
  for (const Group& group : groups_) {
    if (group.longest <= set.longest || !kinds.has(group.kinds)) continue;
    for (auto i = static_cast<size_t>(group.end) - 1; members_[i].characters > set.longest; --i) {
      const int32_t token = members_[i].token;
      forbid(bits, token);
      if (i == static_cast<size_t>(group.first)) break;
    }
  }
}

std::shared_ptr<const TokenBits> TokenGroups::tokens_of(const Characters& of,
                                                        int32_t longest) const {
  constexpr size_t kMostKept = 16;
  const Set set{of, std::min(longest, longest_)};
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(kept_, set, [](const auto& kept) { return kept.first; });
  if (known != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, known);
  } else {
    TokenBits bits = find(of);
    leave_out_longer(set, bits);
    kept_.emplace_front(set, std::make_shared<const TokenBits>(std::move(bits)));
    if (kept_.size() > kMostKept) kept_.pop_back();
  }
  return kept_.front().second;
}

}  // namespace strata::inference
