// Mamba-2's mixer, position by position: the float32 reference of spec.h's StateSpace.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/executor.h"
#include "inference/weights.h"

namespace strata::inference {

inline float softplus(float x) {
  return x > 20.0f ? x : std::log1p(std::exp(x));
}

// What one block holds of one sequence: the inputs of all its positions, from which the state comes
// again when some are taken back, and the state itself.
struct Float32State {
  std::vector<float> projected;  // [length x channels], what is convolved
  std::vector<float> convolved;  // [length x channels]: x, b, c
  std::vector<float> steps;      // [length x n_heads]
  std::vector<float> state;      // [n_heads x head_dim x n_state] behind n_seen positions
  int32_t n_seen = 0;

  // Forgets the positions from `length` on.
  void cut(const models::StateSpace& op, int32_t length);
};

// x, y: [rows x n_embd], x already normed. states[i] belongs to the sequence of rows[i].
void mix_states_float32(const models::StateSpace& op, const Float32Weights& weights,
                        std::span<const Row> rows, std::span<Float32State* const> states,
                        const float* x, int64_t n_embd, float* y, int n_threads);

}  // namespace strata::inference
