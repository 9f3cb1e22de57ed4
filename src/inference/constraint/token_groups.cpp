#include "inference/constraint/token_groups.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/utf8.h"

namespace strata::inference {
namespace {

int32_t count_characters(std::string_view text) {
  return static_cast<int32_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

void add_to(TokenBits& bits, size_t n_words, int32_t token) {
  if (bits.empty()) bits.resize(n_words);
  allow(bits, token);
}

// Calls `each` with every ASCII character of these.
void for_each(const Characters& of, const auto& each) {
  for (size_t half = 0; half < 2; ++half) {
    for (uint64_t left = of.ascii[half]; left != 0; left &= left - 1) {
      each(half * 64 + static_cast<size_t>(std::countr_zero(left)));
    }
  }
}

constexpr size_t kAtOnce = 16;  // words; a set has a multiple of it

// Of a set, in registers: as an array they stood in memory, and a look at each set took half as
// long again.
using Words [[gnu::vector_size(kAtOnce * sizeof(uint64_t))]] = uint64_t;

}  // namespace

TokenGroups::TokenGroups(std::span<const int32_t> tokens, size_t n_words,
                         const std::function<std::string_view(int32_t)>& bytes_of)
    : n_words_(n_words),
      n_kept_words_((n_words + kAtOnce - 1) / kAtOnce * kAtOnce),
      whole_(n_kept_words_) {
  for (const int32_t token : tokens) add(token, bytes_of(token));
}

void TokenGroups::add(int32_t token, std::string_view text) {
  Characters of;
  for (const char c : text) of.add(static_cast<uint8_t>(c));
  for_each(of, [&](size_t c) {
    for (const size_t set : {c, kFours + c / 4, kSixteens + c / 16, kSixtyFours + c / 64}) {
      add_to(with_[set], n_kept_words_, token);
    }
  });
  if (of.beyond) add_to(with_[kBeyond], n_kept_words_, token);
  if (!is_valid_utf8(text)) return;
  allow(whole_, token);
  const int32_t n = count_characters(text);
  longest_ = std::max(longest_, n);
  for (size_t i = 0; i < std::min(static_cast<size_t>(n), kCounted); ++i) {
    add_to(longer_[i], n_kept_words_, token);
  }
  if (n > static_cast<int32_t>(kCounted)) long_.push_back({n, token});
}

// The fewest that together are the tokens with any of these. What is not asked for are mostly runs
// of characters: with sets of four, 16 and 64 they are half as many as with those of eight.
std::vector<const TokenBits*> TokenGroups::sets_with(const Characters& some) const {
  std::vector<const TokenBits*> sets;
  const auto take = [&](size_t set) {
    if (!with_[set].empty()) sets.push_back(&with_[set]);
  };
  Characters left = some;
  const auto take_runs = [&](size_t first_set, size_t length) {
    for (size_t c = 0; c < 128; c += length) {
      const uint64_t run = ~uint64_t{0} >> (64 - length) << (c & 63);
      if ((left.ascii[c >> 6] & run) != run) continue;
      left.ascii[c >> 6] &= ~run;
      take(first_set + c / length);
    }
  };
  take_runs(kSixtyFours, 64);
  take_runs(kSixteens, 16);
  take_runs(kFours, 4);
  for_each(left, take);
  if (some.beyond) take(kBeyond);
  return sets;
}

// All but those that have another character; a few words of one set after the other.
TokenBits TokenGroups::find(const Set& set) const {
  const Characters others{{~set.of.ascii[0], ~set.of.ascii[1]}, !set.of.beyond};
  std::vector<const TokenBits*> out = sets_with(others);  // to leave out
  const bool counted = set.longest < static_cast<int32_t>(kCounted);
  if (counted) {
    const TokenBits& longer = longer_[static_cast<size_t>(std::max(set.longest, 0))];
    if (!longer.empty()) out.push_back(&longer);
  }
  TokenBits bits = whole_;
  for (size_t word = 0; word < bits.size(); word += kAtOnce) {
    Words any{}, words;
    for (const TokenBits* one : out) {
      std::memcpy(&words, one->data() + word, sizeof(words));
      any |= words;
    }
    std::memcpy(&words, &bits[word], sizeof(words));
    words &= ~any;
    std::memcpy(&bits[word], &words, sizeof(words));
  }
  bits.resize(n_words_);
  for (const auto& [n, token] : long_) {
    if (!counted && n > set.longest) forbid(bits, token);
  }
  return bits;
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
    kept_.emplace_front(set, std::make_shared<const TokenBits>(find(set)));
    if (kept_.size() > kMostKept) kept_.pop_back();
  }
  return kept_.front().second;
}

TokenBits TokenGroups::tokens_with(const Characters& some) const {
  TokenBits bits(n_kept_words_);
  for (const TokenBits* set : sets_with(some)) unite(bits, *set);
  bits.resize(n_words_);
  return bits;
}

bool TokenGroups::has(int32_t token, const Characters& some) const {
  const auto at = static_cast<size_t>(token);
  const auto is_in = [&](const TokenBits& bits) {
    return !bits.empty() && (bits[at >> 6] >> (at & 63) & 1) != 0;
  };
  bool found = some.beyond && is_in(with_[kBeyond]);
  for_each(some, [&](size_t c) { found = found || is_in(with_[c]); });
  return found;
}

}  // namespace strata::inference
