// Which experts a row goes to, for every executor alike.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/family/spec.h"

namespace strata::inference {

// What a mixture of experts says about it: see spec.h's Moe.
struct Routing {
  int32_t n_used = 0;
  bool renormalized = false;
  float scale = 1.0f;
  models::Gating gating = models::Gating::softmax;
  int32_t n_groups = 1;
  int32_t n_groups_used = 1;
  int32_t group_best = 1;
  std::vector<float> choice_bias{};  // empty: none
};
Routing routing_of(const models::Moe& moe, std::vector<float> choice_bias);

// From the router's logits of one row, one an expert, at most models::kMaxExperts, to its n_used
// experts in ascending order and their weights (formula: spec.h's Moe). Of equal ones the expert,
// or the group, of the lower index goes first. Any numbers, also NaN, give n_used different
// experts.
void choose_experts(const Routing& routing, std::span<const float> logits,
                    std::span<int32_t> experts, std::span<float> weights);

// That of the shared expert, from its gate's logit.
float shared_weight(float logit);

}  // namespace strata::inference
