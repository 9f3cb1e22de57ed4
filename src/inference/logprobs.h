// Log-probabilities of the model itself: of the raw logits, before any step of the sampler.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::inference {

struct IdLogprob {
  int32_t id = 0;
  float logprob = 0.0f;
};

struct LogprobRow {
  float chosen = 0.0f;         // -inf for a token that only a bias could choose
  std::vector<IdLogprob> top;  // the n most likely, most likely first
};

// ln softmax(logits) at `chosen` and at the n_top most likely tokens. 0 <= chosen < logits.size().
LogprobRow logprobs(std::span<const float> logits, int32_t chosen, int32_t n_top);

}  // namespace strata::inference
