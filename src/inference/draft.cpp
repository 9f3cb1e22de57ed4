#include "inference/draft.h"

#include <algorithm>

#include "inference/ngram.h"

namespace strata::inference {

// The n-gram at the very end is left out: nothing has followed it yet.
void Drafter::index(std::span<const int32_t> tokens) {
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  for (size_t end = std::max(n_indexed_, kWidth); end < tokens.size(); ++end) {
    follower_[ngram_hash(tokens.subspan(end - kWidth, kWidth))] = static_cast<int32_t>(end);
  }
  n_indexed_ = std::max(n_indexed_, tokens.size());
}

std::span<const int32_t> Drafter::guess(std::span<const int32_t> tokens, int32_t max_tokens) {
  guesses_.clear();
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  if (max_tokens < 1 || tokens.size() <= kWidth) return {};
  index(tokens);
  const auto found = follower_.find(ngram_hash(tokens.last(kWidth)));
  if (found == follower_.end()) return {};
  const auto next = static_cast<size_t>(found->second);
  // Hashes may collide, tokens do not.
  const int32_t length = common_end(tokens.first(next), tokens, kMostMatch);
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
