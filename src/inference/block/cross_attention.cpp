#include "inference/block/cross_attention.h"

#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

using models::CrossAttention;

size_t width_of(const CrossAttention& attention) {
  return static_cast<size_t>(attention.n_heads) * static_cast<size_t>(attention.head_dim);
}

void attend_row(const CrossAttention& attention, const float* query, const Float32Kv& kv,
                float* result) {
  const size_t width = width_of(attention);
  const int64_t head_dim = attention.head_dim;
  const size_t n_states = kv.keys.size() / width;
  std::vector<float> scores(n_states);
  for (int64_t begin = 0; begin < static_cast<int64_t>(width); begin += head_dim) {
    for (size_t p = 0; p < n_states; ++p) {
      scores[p] =
          dot(query + begin, kv.keys.data() + p * width + begin, head_dim) * attention.scale;
    }
    softmax(scores);
    for (size_t p = 0; p < n_states; ++p) {
      const float* value = kv.values.data() + p * width + begin;
      for (int64_t i = 0; i < head_dim; ++i) result[begin + i] += scores[p] * value[i];
    }
  }
}

}  // namespace

Float32Kv read_source_float32(const CrossAttention& attention, const Float32Weights& weights,
                              const float* states, int64_t n_states, int64_t n_embd,
                              int n_threads) {
  const size_t width = width_of(attention);
  const auto project = [&](const models::Linear& linear) {
    std::vector<float> rows(static_cast<size_t>(n_states) * width);
    multiply(weights, linear, states, n_states, static_cast<int64_t>(width), n_embd, rows.data(),
             n_threads);
    return rows;
  };
  return {project(attention.k), project(attention.v)};
}

void attend_source_float32(const CrossAttention& attention, const Float32Weights& weights,
                           std::span<const Float32Kv* const> kv, const float* x, int64_t n_embd,
                           float* y, int n_threads) {
  const auto n_rows = static_cast<int64_t>(kv.size());
  const auto width = static_cast<int64_t>(width_of(attention));
  std::vector<float> q(static_cast<size_t>(n_rows * width));
  std::vector<float> mixed(q.size());
  multiply(weights, attention.q, x, n_rows, width, n_embd, q.data(), n_threads);
  parallel_ranges(n_threads, n_rows, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      attend_row(attention, q.data() + i * width, *kv[static_cast<size_t>(i)],
                 mixed.data() + i * width);
    }
  });
  multiply(weights, attention.o, mixed.data(), n_rows, n_embd, width, y, n_threads);
}

}  // namespace strata::inference
