// The feed-forward block of the fast executor: gate, up and activation in one pass over the
// weights.
#pragma once

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

class FastMlp {
 public:
  FastMlp(const models::Mlp& mlp, Packer& packer, Step& step);

  size_t input() const { return input_; }
  const std::vector<float>& output_bias() const { return down_.bias; }
  int64_t weight_bytes() const;
  int64_t wide_width() const { return up_.matrix.rows(); }

  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread) const;

 private:
  void activate_row(float* hidden) const;

  int64_t n_hidden_ = 0;
  tensor::Activation activation_ = tensor::Activation::none;
  bool separate_gate_ = false;  // biases: [gate; up] as one plain matrix, gated afterwards
  PackedLinear up_;             // gate and up, or up alone
  PackedLinear down_;
  size_t input_ = 0, hidden_input_ = 0;
};

}  // namespace strata::inference
