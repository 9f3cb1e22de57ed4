// Self-attention with grouped queries: the float32 reference of spec.h's Attention.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/executor.h"
#include "inference/weights.h"

namespace strata::inference {

// Keys and values that one attention block holds of one sequence, [length x n_kv_heads x head_dim].
struct Float32Kv {
  std::vector<float> keys;
  std::vector<float> values;
  int32_t long_text = 0;  // Sequences::long_text
};

// The keys, first and last, that a query of a sequence of so many positions sees.
struct SeenKeys {
  int32_t first = 0;
  int32_t last = 0;
};
SeenKeys seen_keys(const models::Attention& attention, int32_t position, int32_t length);

// x, y: [rows x n_embd], x already normed. kv[i] belongs to the sequence of rows[i]; the rows' keys
// and values, if the block has its own, are appended first, so that a row sees those before it in
// the same step.
void attend_float32(const models::Attention& attention, const Float32Weights& weights,
                    std::span<const Row> rows, std::span<Float32Kv* const> kv, const float* x,
                    int64_t n_embd, float* y, int n_threads);

}  // namespace strata::inference
