// Which experts a row goes to, for every executor alike.
#pragma once

#include <cstdint>
#include <span>

#include "models/family/spec.h"

namespace strata::inference {

// What a mixture of experts says about it: see spec.h's Moe.
struct Routing {
  int32_t n_used = 0;
  bool renormalized = false;
  float scale = 1.0f;
};
Routing routing_of(const models::Moe& moe);

// From the router's logits of one row, one an expert, to its n_used experts in ascending order and
// their weights (formula: spec.h's Moe). Of equal logits the expert of the lower index goes first.
// Any numbers, also NaN, give n_used different experts.
void choose_experts(const Routing& routing, std::span<const float> logits,
                    std::span<int32_t> experts, std::span<float> weights);

// That of the shared expert, from its gate's logit.
float shared_weight(float logit);

}  // namespace strata::inference
