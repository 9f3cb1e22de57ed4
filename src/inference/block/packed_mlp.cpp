#include "inference/block/packed_mlp.h"

#include <array>

namespace strata::inference {

PackedMlp::PackedMlp(const models::Mlp& mlp, Packer& packer)
    : n_hidden(mlp.n_hidden), activation(packed_activation(mlp.activation)) {
  const bool has_gate = mlp.gate.weight != models::kNoTensor;
  const bool has_bias = mlp.gate.bias != models::kNoTensor || mlp.up.bias != models::kNoTensor;
  separate_gate = has_gate && has_bias;
  if (separate_gate) {
    up = packer.linear(std::array{mlp.gate, mlp.up});
  } else if (has_gate) {
    up = packer.gated(mlp.gate, mlp.up);
  } else {
    up = packer.linear(std::array{mlp.up});
  }
  down = packer.linear(std::array{mlp.down});
}

void PackedMlp::activate_row(float* hidden) const {
  const auto& kernels = tensor::kernels();
  if (up.matrix.gated()) return;
  if (!up.bias.empty()) kernels.add(up.bias.data(), up.matrix.rows(), hidden);
  if (separate_gate) {
    kernels.gate(activation, hidden, hidden + n_hidden, n_hidden, hidden);
  } else {
    kernels.activate(activation, n_hidden, hidden);
  }
}

int64_t PackedMlp::bytes() const {
  return static_cast<int64_t>(up.matrix.bytes() + down.matrix.bytes());
}

}  // namespace strata::inference
