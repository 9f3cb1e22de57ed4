// A block that is one matrix, of the fast executor.
#pragma once

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

class FastProjection {
 public:
  FastProjection(const models::Projection& projection, Packer& packer, Step& step);

  // The block's input of one row: the norm of the stream.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return out_.bias; }
  int64_t weight_bytes() const { return static_cast<int64_t>(out_.matrix.bytes()); }
  int64_t wide_width() const { return 0; }
  int64_t mixed_width() const { return 0; }

  void prepare(const Step& /*step*/) {}
  // Every thread: from the input to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread) const;

 private:
  PackedLinear out_;
  size_t input_ = 0;
};

}  // namespace strata::inference
