#include "inference/block/routing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "models/family/limits.h"

namespace strata::inference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Numbers of all experts, or groups, of one row.
using Scratch = std::array<float, models::kMaxExperts>;

float sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}

// The indices of the greatest values, the greatest first.
void take_greatest(std::span<const float> values, std::span<int32_t> indices) {
  size_t n = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    size_t place = n;
    while (place > 0 && values[i] > values[static_cast<size_t>(indices[place - 1])]) --place;
    if (place == indices.size()) continue;
    n = std::min(n + 1, indices.size());
    std::copy_backward(indices.begin() + static_cast<std::ptrdiff_t>(place),
                       indices.begin() + static_cast<std::ptrdiff_t>(n - 1),
                       indices.begin() + static_cast<std::ptrdiff_t>(n));
    indices[place] = static_cast<int32_t>(i);
  }
}

// exp(logit - greatest) of the softmax, which is its share times their sum, or the sigmoid.
float unscaled_share(const Routing& routing, float logit, float greatest) {
  return routing.gating == models::Gating::sigmoid ? sigmoid(logit) : std::exp(logit - greatest);
}

float sum_of_all(const Routing& routing, std::span<const float> logits, float greatest) {
  if (routing.gating == models::Gating::sigmoid) return 1.0f;
  float total = 0.0f;
  for (const float logit : logits) total += std::exp(logit - greatest);
  return total;
}

// What experts are chosen by, in `scratch`, or, where they stand in the same order, the logits.
std::span<const float> choice_values(const Routing& routing, std::span<const float> logits,
                                     float greatest, Scratch& scratch) {
  if (routing.choice_bias.empty() && routing.group_best == 1) return logits;
  const float total = sum_of_all(routing, logits, greatest);
  for (size_t e = 0; e < logits.size(); ++e) {
    scratch[e] = unscaled_share(routing, logits[e], greatest) / total;
    if (!routing.choice_bias.empty()) scratch[e] += routing.choice_bias[e];
  }
  return std::span(scratch).first(logits.size());
}

// The sum of a group's greatest values.
float rank_of(std::span<const float> group, int32_t n_best) {
  std::array<int32_t, models::kMaxExperts> best;
  const auto taken = std::span(best).first(static_cast<size_t>(n_best));
  take_greatest(group, taken);
  float rank = 0.0f;
  for (const int32_t expert : taken) rank += group[static_cast<size_t>(expert)];
  return rank;
}

// The values in `scratch`, -inf outside the groups that are used.
std::span<const float> keep_groups(const Routing& routing, std::span<const float> values,
                                   Scratch& scratch) {
  const auto n_groups = static_cast<size_t>(routing.n_groups);
  const size_t width = values.size() / n_groups;
  Scratch ranks;
  for (size_t g = 0; g < n_groups; ++g) {
    ranks[g] = rank_of(values.subspan(g * width, width), routing.group_best);
  }
  std::array<int32_t, models::kMaxExperts> groups;
  const auto used = std::span(groups).first(static_cast<size_t>(routing.n_groups_used));
  take_greatest(std::span(ranks).first(n_groups), used);
  for (size_t g = 0; g < n_groups; ++g) {
    const bool is_used = std::ranges::find(used, static_cast<int32_t>(g)) != used.end();
    for (size_t e = g * width; e < (g + 1) * width; ++e) {
      scratch[e] = is_used ? values[e] : -kInfinity;
    }
  }
  return std::span(scratch).first(values.size());
}

}  // namespace

Routing routing_of(const models::Moe& moe, std::vector<float> choice_bias) {
  return {.n_used = moe.n_used,
          .renormalized = moe.renormalized,
          .scale = moe.scale,
          .gating = moe.gating,
          .n_groups = moe.n_groups,
          .n_groups_used = moe.n_groups_used,
          .group_best = moe.group_best,
          .choice_bias = std::move(choice_bias)};
}

void choose_experts(const Routing& routing, std::span<const float> logits,
                    std::span<int32_t> experts, std::span<float> weights) {
  float greatest = logits[0];
  for (const float logit : logits) greatest = logit > greatest ? logit : greatest;
  Scratch scratch;
  std::span<const float> values = choice_values(routing, logits, greatest, scratch);
  if (routing.n_groups_used < routing.n_groups) values = keep_groups(routing, values, scratch);
  take_greatest(values, experts);
  std::sort(experts.begin(), experts.end());
  float chosen = 0.0f;
  for (size_t i = 0; i < experts.size(); ++i) {
    weights[i] = unscaled_share(routing, logits[static_cast<size_t>(experts[i])], greatest);
    chosen += weights[i];
  }
  // Sigmoids may all be zero.
  const float total =
      routing.renormalized ? chosen + 1e-20f : sum_of_all(routing, logits, greatest);
  for (float& weight : weights) weight *= routing.scale / total;
}

float shared_weight(float logit) {
  return sigmoid(logit);
}

}  // namespace strata::inference
