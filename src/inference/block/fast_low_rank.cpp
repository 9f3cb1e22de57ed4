#include "inference/block/fast_low_rank.h"

#include <array>

#include "inference/block/packed_attention.h"

namespace strata::inference {

FastLowRank::FastLowRank(const models::LowRank& op, Packer& packer, Step& step)
    : left_(packer.linear(std::array{op.left})),
      right_(packer.linear(std::array{op.right})),
      norm_(packer.norm(op.norm)),
      input_(step.inputs.add(left_.matrix)),
      narrow_input_(step.inputs.add(right_.matrix)) {}

void FastLowRank::take_input(const PackedNorm& norm, const float* stream, Step& step,
                             int64_t row) const {
  const int64_t width = left_.matrix.cols();
  float* normed = step.normed.data() + row * width;
  norm.apply(stream, width, normed);
  tensor::fill_row(normed, step.inputs.at(input_), row);
}

void FastLowRank::run(Step& step, int thread) const {
  tensor::matmul_share(left_.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, step.team.size());
  step.team.barrier();
  run_output(right_, narrow_input_, step.wide.data(), wide_width(), step, thread);
}

void FastLowRank::finish(const Step& step, int64_t row, float* delta) const {
  const int64_t width = left_.matrix.cols();
  norm_.apply(delta, width, delta);
  tensor::kernels().add(step.normed.data() + row * width, width, delta);
}

}  // namespace strata::inference
