// The feed-forward block, gated or not: the float32 reference of spec.h's Mlp.
#pragma once

#include <cstdint>
#include <span>

#include "inference/weights.h"

namespace strata::inference {

// x counts as far as it is above its mean plus so many standard deviations, else as 0.
void keep_greatest(float deviations, std::span<float> x);

// x, y: [rows x n_embd], x already normed.
void mlp_float32(const models::Mlp& mlp, const Float32Weights& weights, int64_t n_rows,
                 const float* x, int64_t n_embd, float* y, int n_threads);

}  // namespace strata::inference
