// What a model's mixtures of experts come to, for people and plans.
#pragma once

#include <cstdint>

#include "models/family/spec.h"

namespace strata::models {

struct ExpertFacts {
  int32_t n_experts = 0;       // of a layer, the most; 0: the model has none
  int32_t n_used = 0;          // of those, by one token
  int64_t n_idle_weights = 0;  // of all layers, by one token
};

ExpertFacts expert_facts(const ModelSpec& spec);

}  // namespace strata::models
