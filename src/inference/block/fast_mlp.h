// The feed-forward block of the fast executor.
#pragma once

#include "inference/block/packed_mlp.h"
#include "inference/fast_step.h"

namespace strata::inference {

class FastMlp {
 public:
  FastMlp(const models::Mlp& mlp, Packer& packer, Step& step);

  // The block's input of one row: the norm of the stream.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return mlp_.down.bias; }
  int64_t weight_bytes() const { return mlp_.bytes(); }
  int64_t wide_width() const { return mlp_.up.matrix.rows(); }
  int64_t mixed_width() const { return 0; }

  void prepare(const Step& /*step*/) {}
  // Every thread: from the inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread) const;

 private:
  PackedMlp mlp_;
  size_t input_ = 0, hidden_input_ = 0;
};

}  // namespace strata::inference
