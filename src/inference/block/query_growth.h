// How queries grow with their position, for every executor alike: spec.h's QueryGrowth.
#pragma once

#include <cmath>
#include <cstdint>

#include "models/family/spec.h"

namespace strata::inference {

inline float growth_at(const models::QueryGrowth& growth, int32_t position) {
  if (growth.step == 0) return 1.0f;
  const int64_t steps = (int64_t{position} + growth.ahead) / growth.step;
  return static_cast<float>(1.0 + static_cast<double>(growth.factor) *
                                      std::log1p(static_cast<double>(steps)));
}

}  // namespace strata::inference
