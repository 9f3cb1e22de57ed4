// A residual of low rank (spec.h's LowRank) of the fast executor.
#pragma once

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

class FastLowRank {
 public:
  FastLowRank(const models::LowRank& op, Packer& packer, Step& step);

  // The block's input of one row, which step.normed keeps.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return right_.bias; }
  int64_t weight_bytes() const {
    return static_cast<int64_t>(left_.matrix.bytes() + right_.matrix.bytes());
  }
  int64_t wide_width() const { return left_.matrix.rows(); }
  int64_t mixed_width() const { return 0; }

  void prepare(const Step& /*step*/) {}
  // Every thread: from the inputs to step.delta; begins after a barrier and ends without one.
  void run(Step& step, int thread) const;
  // Of a row of step.delta: its norm, and the block's input.
  void finish(const Step& step, int64_t row, float* delta) const;

 private:
  PackedLinear left_, right_;
  PackedNorm norm_;
  size_t input_ = 0, narrow_input_ = 0;
};

}  // namespace strata::inference
