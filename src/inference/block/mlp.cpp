#include "inference/block/mlp.h"

#include <algorithm>
#include <vector>

#include "inference/float32_ops.h"

namespace strata::inference {

void mlp_float32(const models::Mlp& mlp, const Float32Weights& weights, int64_t n_rows,
                 const float* x, int64_t n_embd, float* y, int n_threads) {
  const auto apply = [&](const models::Linear& linear, const float* in, int64_t cols,
                         int64_t outputs, float* out) {
    multiply(weights, linear, in, n_rows, outputs, cols, out, n_threads);
  };
  std::vector<float> hidden(static_cast<size_t>(n_rows * mlp.n_hidden));
  apply(mlp.up, x, n_embd, mlp.n_hidden, hidden.data());
  if (mlp.gate.weight == models::kNoTensor) {
    for (float& value : hidden) value = activate(mlp.activation, value);
  } else {
    std::vector<float> gate(hidden.size());
    apply(mlp.gate, x, n_embd, mlp.n_hidden, gate.data());
    for (size_t i = 0; i < hidden.size(); ++i) {
      if (mlp.limit > 0.0f) {
        gate[i] = std::min(gate[i], mlp.limit);
        hidden[i] = std::clamp(hidden[i], -mlp.limit, mlp.limit);
      }
      hidden[i] = (hidden[i] + mlp.up_offset) * activate(mlp.activation, gate[i]);
    }
  }
  apply(mlp.down, hidden.data(), mlp.n_hidden, n_embd, y);
}

}  // namespace strata::inference
