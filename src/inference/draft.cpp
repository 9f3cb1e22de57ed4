#include "inference/draft.h"

#include <algorithm>

#include "inference/noise.h"

namespace strata::inference {
namespace {

uint64_t hash_of(std::span<const int32_t> tokens) {
  uint64_t hash = 0;
  for (const int32_t token : tokens) hash = mix64(hash * 31 + static_cast<uint64_t>(token) + 1);
  return hash;
}

// How many tokens before `a` and before `b` are the same, up to `most`. Hashes may collide, tokens
// do not.
int32_t match_length(std::span<const int32_t> tokens, size_t a, size_t b, int32_t most) {
  int32_t n = 0;
  while (n < most && static_cast<size_t>(n) < a &&
         tokens[a - 1 - static_cast<size_t>(n)] == tokens[b - 1 - static_cast<size_t>(n)]) {
    ++n;
  }
  return n;
}

}  // namespace

// The n-gram at the very end is left out: nothing has followed it yet.
void Drafter::index(std::span<const int32_t> tokens) {
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  for (size_t end = std::max(n_indexed_, kWidth); end < tokens.size(); ++end) {
    follower_[hash_of(tokens.subspan(end - kWidth, kWidth))] = static_cast<int32_t>(end);
  }
  n_indexed_ = std::max(n_indexed_, tokens.size());
}

std::span<const int32_t> Drafter::guess(std::span<const int32_t> tokens, int32_t max_tokens) {
  guesses_.clear();
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  if (max_tokens < 1 || tokens.size() <= kWidth) return {};
  index(tokens);
  const auto found = follower_.find(hash_of(tokens.last(kWidth)));
  if (found == follower_.end()) return {};
  const auto next = static_cast<size_t>(found->second);
  const int32_t length = match_length(tokens, next, tokens.size(), kMostMatch);
  if (length < match_wanted_) return {};
  for (size_t i = 0; i < static_cast<size_t>(std::min(max_tokens, length)); ++i) {
    const size_t at = next + i;  // past the end: a short period goes on as it began
    guesses_.push_back(at < tokens.size() ? tokens[at] : guesses_[at - tokens.size()]);
  }
  return guesses_;
}

void Drafter::verified(int32_t n_guessed, int32_t n_right) {
  if (n_guessed == 0) return;
  const bool paid = 2 * n_right >= n_guessed;
  match_wanted_ =
      paid ? std::max(kLeastMatch, match_wanted_ / 2) : std::min(kMostMatch, 2 * match_wanted_);
}

}  // namespace strata::inference
