// What every self-attention of the fast executor has, with a cache or without: packed projections,
// norms and RoPE on the heads of queries and keys.
#pragma once

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

struct PackedAttention {
  PackedAttention(const models::Attention& attention, Packer& packer, Step& step);

  models::Attention attention;
  PackedLinear qkv;  // queries and, if it has its own, keys and values, one behind the other
  PackedLinear output;
  PackedNorm q_norm, k_norm, v_norm;
  size_t angles = 0;

  // Bias, QK-norm and RoPE on the projections of one row, in place: [qkv.matrix.rows()].
  void prepare_row(const Step& step, int64_t row, float* projected) const;
  int64_t queries_width() const { return int64_t{attention.n_heads} * attention.head_dim; }
  int64_t keys_width() const { return int64_t{attention.n_kv_heads} * attention.head_dim; }
  int64_t bytes() const { return static_cast<int64_t>(qkv.matrix.bytes() + output.matrix.bytes()); }
};

// Every thread: rows of `width` floats, one after the other, through `output` to step.delta,
// without its bias. Begins after a barrier and ends without one.
void run_output(const PackedLinear& output, size_t input, const float* rows, int64_t width,
                Step& step, int thread);

}  // namespace strata::inference
