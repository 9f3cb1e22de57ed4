// Attention to the states of the sequence's source: the float32 reference of spec.h's
// CrossAttention.
#pragma once

#include <cstdint>
#include <span>

#include "inference/block/attention.h"

namespace strata::inference {

// Keys and values of the source, [n_states x n_heads x head_dim], from its states, [n_states x
// n_embd].
Float32Kv read_source_float32(const models::CrossAttention& attention,
                              const Float32Weights& weights, const float* states, int64_t n_states,
                              int64_t n_embd, int n_threads);

// x, y: [rows x n_embd], x already normed. kv[i]: of the source of the sequence of row i.
void attend_source_float32(const models::CrossAttention& attention, const Float32Weights& weights,
                           std::span<const Float32Kv* const> kv, const float* x, int64_t n_embd,
                           float* y, int n_threads);

}  // namespace strata::inference
