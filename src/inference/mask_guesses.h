// From the logits of a masked position to the tokens that it may hide.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::inference {

// Which tokens are wanted: the n likeliest, of all or of these.
struct GuessRules {
  int32_t n = 5;
  std::vector<int32_t> targets{};  // each once; empty: all tokens
};

struct Guess {
  int32_t token = 0;
  double probability = 0;  // among all tokens, whatever the targets
};

// The likeliest first, of equals that with the lower id. Fewer than n where there are no more.
std::vector<Guess> guess_token(std::span<const float> logits, const GuessRules& rules);

}  // namespace strata::inference
