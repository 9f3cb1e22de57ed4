#include "inference/block/routing.h"

#include <algorithm>
#include <cmath>

namespace strata::inference {
namespace {

// The experts of the greatest logits, the greatest first.
void take_greatest(std::span<const float> logits, std::span<int32_t> experts) {
  size_t n = 0;
  for (size_t expert = 0; expert < logits.size(); ++expert) {
    size_t place = n;
    while (place > 0 && logits[expert] > logits[static_cast<size_t>(experts[place - 1])]) --place;
    if (place == experts.size()) continue;
    n = std::min(n + 1, experts.size());
    std::copy_backward(experts.begin() + static_cast<std::ptrdiff_t>(place),
                       experts.begin() + static_cast<std::ptrdiff_t>(n - 1),
                       experts.begin() + static_cast<std::ptrdiff_t>(n));
    experts[place] = static_cast<int32_t>(expert);
  }
}

}  // namespace

Routing routing_of(const models::Moe& moe) {
  return {.n_used = moe.n_used, .renormalized = moe.renormalized, .scale = moe.scale};
}

void choose_experts(const Routing& routing, std::span<const float> logits,
                    std::span<int32_t> experts, std::span<float> weights) {
  take_greatest(logits, experts);
  const float greatest = logits[static_cast<size_t>(experts[0])];
  std::sort(experts.begin(), experts.end());
  float chosen = 0.0f;
  for (size_t i = 0; i < experts.size(); ++i) {
    weights[i] = std::exp(logits[static_cast<size_t>(experts[i])] - greatest);
    chosen += weights[i];
  }
  float total = chosen;
  if (!routing.renormalized) {
    total = 0.0f;
    for (const float logit : logits) total += std::exp(logit - greatest);
  }
  for (float& weight : weights) weight *= routing.scale / total;
}

float shared_weight(float logit) {
  return 1.0f / (1.0f + std::exp(-logit));
}

}  // namespace strata::inference
