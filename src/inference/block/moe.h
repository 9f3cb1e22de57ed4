// The mixture of experts: the float32 reference of spec.h's Moe.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/weights.h"

namespace strata::inference {

// x, y: [rows x n_embd], x already normed. Returns the rows' experts, [rows x n_used].
std::vector<int32_t> moe_float32(const models::Moe& moe, const Float32Weights& weights,
                                 int64_t n_rows, const float* x, int64_t n_embd, float* y,
                                 int n_threads);

}  // namespace strata::inference
