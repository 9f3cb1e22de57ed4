// Chooses the next token: bias, penalties, truncation and temperature over the logits, then one
// draw. The chain and its formulas are described in docs/engine/sampling.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inference/candidates.h"
#include "inference/dry.h"
#include "inference/sampler_params.h"

namespace strata::inference {

struct WeightedToken {
  int32_t id = 0;
  double probability = 0.0;
};

// Belongs to one choice of one request. What it answers depends on its arguments alone, except
// under mirostat, whose target follows the tokens drawn so far.
class Sampler {
 public:
  // params must have passed validate(). `breakers` may be null when DRY is off.
  Sampler(SamplerParams params, int32_t choice, std::shared_ptr<const DryBreakers> breakers);

  // The next token. history: the prompt and what was generated, the logits being those behind it.
  // Error{internal} when no token is left, all logits being NaN or -inf.
  int32_t sample(std::span<const float> logits, std::span<const int32_t> history);

  // How many of the greatest logits sample() looks at, others being as good as -inf; 0: all.
  int32_t n_likeliest() const;

  // What sample() draws from: the surviving tokens, most likely first, with their probabilities.
  std::vector<WeightedToken> distribution(std::span<const float> logits,
                                          std::span<const int32_t> history);

 private:
  bool changes_logits() const;
  bool keeps_all() const;
  std::span<const float> adjusted(std::span<const float> logits, std::span<const int32_t> history);
  std::vector<Candidate> survivors(std::span<const float> logits, float max, size_t position) const;

  SamplerParams params_;
  uint64_t choice_;
  std::shared_ptr<const DryBreakers> breakers_;
  float mirostat_mu_;  // surprise in bits that is still allowed
  std::vector<float> scratch_;
};

}  // namespace strata::inference
