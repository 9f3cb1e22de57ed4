#include "inference/logprobs.h"

#include <cmath>
#include <limits>

#include "core/check.h"
#include "inference/candidates.h"

namespace strata::inference {

LogprobRow logprobs(std::span<const float> logits, int32_t chosen, int32_t n_top) {
  CHECK(chosen >= 0 && static_cast<size_t>(chosen) < logits.size());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float max = max_logit(logits);
  LogprobRow row{-kInfinity, {}};
  if (!std::isfinite(max)) return row;  // a broken row has no distribution
  const double log_total = std::log(sum_exp(logits, max));
  const auto logprob = [&](float logit) {
    const double value = static_cast<double>(logit) - static_cast<double>(max) - log_total;
    return value > -1e30 ? static_cast<float>(value) : -kInfinity;
  };
  row.chosen = logprob(logits[static_cast<size_t>(chosen)]);
  for (const Candidate& c : top_k(logits, n_top)) row.top.push_back({c.id, logprob(c.logit)});
  return row;
}

}  // namespace strata::inference
