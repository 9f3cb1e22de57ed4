#include "inference/block/mlp.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "inference/float32_ops.h"

namespace strata::inference {

void keep_greatest(float deviations, std::span<float> x) {
  const auto n = static_cast<double>(x.size());
  double sum = 0, squares = 0;
  for (const float value : x) sum += double{value};
  const double mean = sum / n;
  for (const float value : x) squares += (double{value} - mean) * (double{value} - mean);
  const auto least = static_cast<float>(mean + double{deviations} * std::sqrt(squares / n));
  for (float& value : x) value = std::max(0.0f, value - least);
}

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
    if (mlp.sparsity != 0.0f) {
      const auto width = static_cast<size_t>(mlp.n_hidden);
      for (size_t begin = 0; begin < gate.size(); begin += width) {
        keep_greatest(mlp.sparsity, std::span(gate).subspan(begin, width));
      }
    }
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
