// Guesses the next tokens of a text from the text itself: where its last tokens have occurred
// before, what followed then may follow again (prompt look-up; Saxena, "Prompt Lookup Decoding",
// 2023). Who verifies a guess pays for it, so a guesser that is often wrong asks for longer
// matches.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace strata::inference {

class Drafter {
 public:
  // At most max_tokens guesses for what follows `tokens`, which begins with what earlier calls were
  // given. Empty: no guess is likely enough.
  std::span<const int32_t> guess(std::span<const int32_t> tokens, int32_t max_tokens);
  // How many of the last guesses turned out right.
  void verified(int32_t n_guessed, int32_t n_right);

 private:
  void index(std::span<const int32_t> tokens);

  static constexpr int32_t kLeastMatch = 4;
  static constexpr int32_t kMostMatch = 32;

  int32_t match_wanted_ = kLeastMatch;
  // Where the token behind the last occurrence of an n-gram of kLeastMatch stands.
  std::unordered_map<uint64_t, int32_t> follower_;
  size_t n_indexed_ = 0;  // n-grams that end before this position are in
  std::vector<int32_t> guesses_;
};

}  // namespace strata::inference
