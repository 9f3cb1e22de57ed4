#include "inference/block/state_space.h"

#include <algorithm>
#include <cmath>

#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

using models::Activation;
using models::StateSpace;

size_t n_channels(const StateSpace& op) {
  return static_cast<size_t>(op.channels());
}

// Appends the convolution at the last position of state.projected.
void convolve(const StateSpace& op, const Float32Weights& weights, Float32State& state) {
  const size_t width = n_channels(op);
  const size_t position = state.projected.size() / width - 1;
  const auto n_taps = static_cast<size_t>(op.n_taps);
  const float* taps = weights.data(op.taps);
  const float* bias = weights.data(op.tap_bias);
  for (size_t channel = 0; channel < width; ++channel) {
    float sum = bias == nullptr ? 0.0f : bias[channel];
    for (size_t tap = 0; tap < n_taps; ++tap) {
      if (position + tap + 1 < n_taps) continue;  // before the sequence
      const size_t from = position + tap + 1 - n_taps;
      sum += taps[channel * n_taps + tap] * state.projected[from * width + channel];
    }
    state.convolved.push_back(activate(Activation::silu, sum));
  }
}

// One position of one head: the state goes on and gives y [head_dim].
void advance(const StateSpace& op, const Float32Weights& weights, Float32State& state,
             int32_t position, int32_t head, float* y) {
  const float* row = state.convolved.data() + static_cast<size_t>(position) * n_channels(op);
  const int32_t group = head / (op.n_heads / op.n_groups);
  const float* x = row + head * op.head_dim;
  const float* b = row + op.inner() + group * op.n_state;
  const float* c = b + op.n_groups * op.n_state;
  const float step = state.steps[static_cast<size_t>(position * op.n_heads + head)];
  const float decay = std::exp(step * weights.data(op.a)[head]);
  float* h = state.state.data() + int64_t{head} * op.head_dim * op.n_state;
  for (int32_t i = 0; i < op.head_dim; ++i, h += op.n_state) {
    for (int32_t n = 0; n < op.n_state; ++n) h[n] = decay * h[n] + step * x[i] * b[n];
    y[i] = dot(h, c, op.n_state) + weights.data(op.d)[head] * x[i];
  }
}

// y *= silu(z), then the norm of each group.
void gate_and_norm(const StateSpace& op, const Float32Weights& weights, const float* z,
                   std::span<float> y) {
  for (size_t i = 0; i < y.size(); ++i) y[i] *= activate(Activation::silu, z[i]);
  const size_t width = y.size() / static_cast<size_t>(op.n_groups);
  const float* weight = weights.data(op.norm.weight);
  for (size_t begin = 0; begin < y.size(); begin += width) {
    const auto part = y.subspan(begin, width);
    apply_norm(op.norm.kind, op.norm.epsilon, weight == nullptr ? nullptr : weight + begin, nullptr,
               part, part);
  }
}

}  // namespace

void Float32State::cut(const StateSpace& op, int32_t length) {
  const auto n = static_cast<size_t>(length);
  projected.resize(n * n_channels(op));
  convolved.resize(n * n_channels(op));
  steps.resize(n * static_cast<size_t>(op.n_heads));
  if (n_seen <= length) return;
  n_seen = 0;
  std::ranges::fill(state, 0.0f);
}

void mix_states_float32(const StateSpace& op, const Float32Weights& weights,
                        std::span<const Row> rows, std::span<Float32State* const> states,
                        const float* x, int64_t n_embd, float* y, int n_threads) {
  const auto n_rows = static_cast<int64_t>(rows.size());
  const int64_t inner = op.inner();
  const int64_t width = op.projected();
  std::vector<float> projected(rows.size() * static_cast<size_t>(width));
  multiply(weights, op.in, x, n_rows, width, n_embd, projected.data(), n_threads);
  std::vector<int32_t> first(rows.size());  // that a row's state has not seen
  for (size_t i = 0; i < rows.size(); ++i) {
    Float32State& state = *states[i];
    const float* z = projected.data() + static_cast<int64_t>(i) * width;
    const float* u = z + inner;
    const float* steps = u + op.channels();
    state.state.resize(static_cast<size_t>(inner * op.n_state));
    state.projected.insert(state.projected.end(), u, steps);
    for (int32_t head = 0; head < op.n_heads; ++head) {
      state.steps.push_back(softplus(steps[head] + weights.data(op.step_bias)[head]));
    }
    convolve(op, weights, state);
    first[i] = state.n_seen;
    state.n_seen = rows[i].position + 1;
  }

  std::vector<float> mixed(rows.size() * static_cast<size_t>(inner));
  parallel_ranges(n_threads, op.n_heads, [&](int64_t begin, int64_t end) {
    for (auto head = static_cast<int32_t>(begin); head < static_cast<int32_t>(end); ++head) {
      for (size_t i = 0; i < rows.size(); ++i) {
        float* out = mixed.data() + static_cast<int64_t>(i) * inner + head * op.head_dim;
        for (int32_t p = first[i]; p <= rows[i].position; ++p) {
          advance(op, weights, *states[i], p, head, out);
        }
      }
    }
  });
  for (size_t i = 0; i < rows.size(); ++i) {
    gate_and_norm(
        op, weights, projected.data() + static_cast<int64_t>(i) * width,
        std::span(mixed).subspan(i * static_cast<size_t>(inner), static_cast<size_t>(inner)));
  }
  multiply(weights, op.out, mixed.data(), n_rows, n_embd, inner, y, n_threads);
}

}  // namespace strata::inference
