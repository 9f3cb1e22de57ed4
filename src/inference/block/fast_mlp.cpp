#include "inference/block/fast_mlp.h"

#include <array>

namespace strata::inference {

FastMlp::FastMlp(const models::Mlp& mlp, Packer& packer, Step& step)
    : n_hidden_(mlp.n_hidden), activation_(packed_activation(mlp.activation)) {
  const bool has_gate = mlp.gate.weight != models::kNoTensor;
  const bool has_bias = mlp.gate.bias != models::kNoTensor || mlp.up.bias != models::kNoTensor;
  separate_gate_ = has_gate && has_bias;
  if (separate_gate_) {
    up_ = packer.linear(std::array{mlp.gate, mlp.up});
  } else if (has_gate) {
    up_ = packer.gated(mlp.gate, mlp.up);
  } else {
    up_ = packer.linear(std::array{mlp.up});
  }
  down_ = packer.linear(std::array{mlp.down});
  input_ = step.inputs.add(up_.matrix);
  hidden_input_ = step.inputs.add(down_.matrix);
}

int64_t FastMlp::weight_bytes() const {
  return static_cast<int64_t>(up_.matrix.bytes() + down_.matrix.bytes());
}

void FastMlp::activate_row(float* hidden) const {
  const auto& kernels = tensor::kernels();
  if (up_.matrix.gated()) return;
  if (!up_.bias.empty()) kernels.add(up_.bias.data(), wide_width(), hidden);
  if (separate_gate_) {
    kernels.gate(activation_, hidden, hidden + n_hidden_, n_hidden_, hidden);
  } else {
    kernels.activate(activation_, n_hidden_, hidden);
  }
}

void FastMlp::run(Step& step, int thread) const {
  Team& team = step.team;
  tensor::matmul_share(up_.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, team.size(), activation_);
  team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* hidden = step.wide.data() + row * wide_width();
    activate_row(hidden);
    tensor::fill_row(hidden, step.inputs.at(hidden_input_), row);
  }
  team.barrier();
  tensor::matmul_share(down_.matrix, step.inputs.at(hidden_input_), step.n_rows(),
                       step.delta.data(), down_.matrix.rows(), thread, team.size());
}

}  // namespace strata::inference
