#include "inference/block/packed_mlp.h"

#include <algorithm>
#include <array>

#include "inference/block/mlp.h"

namespace strata::inference {
namespace {

// Of gelu_sigmoid, which is silu otherwise.
float slope_of(models::Activation activation) {
  return activation == models::Activation::gelu_sigmoid ? 1.702f : 1.0f;
}

}  // namespace

PackedMlp::PackedMlp(const models::Mlp& mlp, Packer& packer)
    : n_hidden(mlp.n_hidden),
      activation(packed_activation(mlp.activation)),
      slope(slope_of(mlp.activation)),
      limit(mlp.limit),
      up_offset(mlp.up_offset),
      sparsity(mlp.sparsity),
      separate_gate(is_gated_apart(mlp)) {
  if (separate_gate) {
    up = packer.linear(std::array{mlp.gate, mlp.up});
  } else if (mlp.gate.weight != models::kNoTensor) {
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
  if (separate_gate) limit_row(hidden);
  if (sparsity != 0.0f) {
    keep_greatest(sparsity, std::span(hidden, static_cast<size_t>(n_hidden)));
  }
  if (slope != 1.0f) kernels.scale(slope, n_hidden, hidden);
  if (separate_gate) {
    kernels.gate(activation, hidden, hidden + n_hidden, n_hidden, hidden);
  } else {
    kernels.activate(activation, n_hidden, hidden);
  }
  if (slope != 1.0f) kernels.scale(1.0f / slope, n_hidden, hidden);
}

// [gate; up], before they meet.
void PackedMlp::limit_row(float* hidden) const {
  float* ups = hidden + n_hidden;
  if (limit > 0.0f) {
    for (int64_t i = 0; i < n_hidden; ++i) hidden[i] = std::min(hidden[i], limit);
    for (int64_t i = 0; i < n_hidden; ++i) ups[i] = std::clamp(ups[i], -limit, limit);
  }
  if (up_offset == 0.0f) return;
  for (int64_t i = 0; i < n_hidden; ++i) ups[i] += up_offset;
}

int64_t PackedMlp::bytes() const {
  return static_cast<int64_t>(up.matrix.bytes() + down.matrix.bytes());
}

bool is_gated_apart(const models::Mlp& mlp) {
  return mlp.gate.weight != models::kNoTensor &&
         (mlp.gate.bias != models::kNoTensor || mlp.up.bias != models::kNoTensor ||
          mlp.limit > 0.0f || mlp.sparsity != 0.0f || mlp.up_offset != 0.0f ||
          slope_of(mlp.activation) != 1.0f);
}

}  // namespace strata::inference
