// Causal self-attention over latent vectors: the float32 reference of spec.h's LatentAttention.
#pragma once

#include <cstdint>
#include <span>

#include "inference/block/attention.h"

namespace strata::inference {

// As attend_float32; kv[i]->keys are [length x (n_latent + rope.n_dims)], there are no values.
void attend_latent_float32(const models::LatentAttention& attention, const Float32Weights& weights,
                           std::span<const Row> rows, std::span<Float32Kv* const> kv,
                           const float* x, int64_t n_embd, float* y, int n_threads);

}  // namespace strata::inference
