#include "inference/block/fast_mlp.h"

namespace strata::inference {

FastMlp::FastMlp(const models::Mlp& mlp, Packer& packer, Step& step)
    : mlp_(mlp, packer),
      input_(step.inputs.add(mlp_.up.matrix)),
      hidden_input_(step.inputs.add(mlp_.down.matrix)) {}

void FastMlp::take_input(const PackedNorm& norm, const float* stream, Step& step,
                         int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

void FastMlp::run(Step& step, int thread) const {
  Team& team = step.team;
  tensor::matmul_share(mlp_.up.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, team.size(), mlp_.activation);
  team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* hidden = step.wide.data() + row * wide_width();
    mlp_.activate_row(hidden);
    tensor::fill_row(hidden, step.inputs.at(hidden_input_), row);
  }
  team.barrier();
  tensor::matmul_share(mlp_.down.matrix, step.inputs.at(hidden_input_), step.n_rows(),
                       step.delta.data(), mlp_.down.matrix.rows(), thread, team.size());
}

}  // namespace strata::inference
