// The packed matrices of one feed-forward network: gate, up and activation in one pass over the
// weights, where no bias stands between.
#pragma once

#include "inference/fast_weights.h"

namespace strata::inference {

struct PackedMlp {
  PackedMlp(const models::Mlp& mlp, Packer& packer);

  int64_t n_hidden = 0;
  tensor::Activation activation = tensor::Activation::none;
  float slope = 1.0f;  // what activates is activation(slope * x) / slope
  float limit = 0.0f, up_offset = 0.0f, sparsity = 0.0f;
  bool separate_gate = false;  // [gate; up] as one plain matrix, gated afterwards
  PackedLinear up;             // gate and up, or up alone
  PackedLinear down;

  // From an output of `up`, up.matrix.rows() floats, to n_hidden inputs of `down`, in place.
  void activate_row(float* hidden) const;
  int64_t bytes() const;

 private:
  void limit_row(float* hidden) const;
};

// Whether something stands between the matrices and the gate: biases, a limit, an offset, a slope.
bool is_gated_apart(const models::Mlp& mlp);

}  // namespace strata::inference
