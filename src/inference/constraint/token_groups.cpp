#include "inference/constraint/token_groups.h"

#include <algorithm>
#include <bit>

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
    add_to(with_[c], n_kept_words_, token);
    add_to(with_8_[c / 8], n_kept_words_, token);
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

// All but those that have another character. These are 20 to 40 sets: a few words of one after the
// other, in vectors, take a quarter fewer instructions than all words of each.
TokenBits TokenGroups::find(const Set& set) const {
  std::vector<const uint64_t*> out;  // sets to leave out
  const auto leave_out = [&](const TokenBits& others) {
    if (!others.empty()) out.push_back(others.data());
  };
  const Characters others{{~set.of.ascii[0], ~set.of.ascii[1]}, !set.of.beyond};
  Characters single = others;
  for (size_t i = 0; i < with_8_.size(); ++i) {
    const uint64_t eight = uint64_t{0xFF} << (i % 8 * 8);
    if ((others.ascii[i / 8] & eight) != eight) continue;
    leave_out(with_8_[i]);
    single.ascii[i / 8] &= ~eight;
  }
  for_each(single, [&](size_t c) { leave_out(with_[c]); });
  if (others.beyond) leave_out(with_[kBeyond]);
  const bool counted = set.longest < static_cast<int32_t>(kCounted);
  if (counted) leave_out(longer_[static_cast<size_t>(std::max(set.longest, 0))]);
  TokenBits bits = whole_;
  for (size_t word = 0; word < bits.size(); word += kAtOnce) {
    std::array<uint64_t, kAtOnce> left;
    std::copy_n(&bits[word], kAtOnce, left.begin());
    for (const uint64_t* words : out) {
      for (size_t i = 0; i < kAtOnce; ++i) left[i] &= ~words[word + i];
    }
    std::copy_n(left.begin(), kAtOnce, &bits[word]);
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
  for_each(some, [&](size_t c) { unite(bits, with_[c]); });
  if (some.beyond) unite(bits, with_[kBeyond]);
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
