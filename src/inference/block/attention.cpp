#include "inference/block/attention.h"

#include <algorithm>
#include <cmath>

#include "inference/block/distance_bias.h"
#include "inference/block/distance_vectors.h"
#include "inference/block/query_growth.h"
#include "inference/block/rope.h"
#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

using models::Attention;

struct HeadRows {
  std::vector<float> values;  // [rows x n_heads x head_dim]
  int64_t width = 0;

  HeadRows(size_t n_rows, int32_t n_heads, int32_t head_dim)
      : values(n_rows * static_cast<size_t>(n_heads) * static_cast<size_t>(head_dim)),
        width(int64_t{n_heads} * head_dim) {}
  std::span<float> row(size_t i) {
    return std::span(values).subspan(i * static_cast<size_t>(width), static_cast<size_t>(width));
  }
};

// QK-norm, then RoPE, on every head of a row.
void prepare_heads(const Attention& attention, const models::Norm& norm,
                   const Float32Weights& weights, std::span<const float> cosines,
                   std::span<const float> sines, std::span<float> row) {
  const auto head_dim = static_cast<size_t>(attention.head_dim);
  const size_t norm_width =
      attention.head_norms == models::HeadNorms::joined ? row.size() : head_dim;
  const bool own = attention.head_norms == models::HeadNorms::own;
  const auto at = [](const float* data, size_t offset) {
    return data == nullptr ? nullptr : data + offset;
  };
  for (size_t begin = 0; begin < row.size(); begin += norm_width) {
    const auto part = row.subspan(begin, norm_width);
    const size_t offset = own ? begin : 0;
    apply_norm(norm.kind, norm.epsilon, at(weights.data(norm.weight), offset),
               at(weights.data(norm.bias), offset), part, part);
  }
  for (size_t begin = 0; begin < row.size(); begin += head_dim) {
    rotate(attention.rope.kind, cosines, sines, row.subspan(begin, head_dim));
  }
}

// Without weights.
void norm_heads(const models::Norm& norm, int32_t head_dim, std::span<float> row) {
  const auto width = static_cast<size_t>(head_dim);
  for (size_t begin = 0; begin < row.size(); begin += width) {
    const auto head = row.subspan(begin, width);
    apply_norm(norm.kind, norm.epsilon, nullptr, nullptr, head, head);
  }
}

// What is added to the scores of a head for each key from `first` on.
std::vector<float> biases_of(const Attention& attention, const Float32Weights& weights,
                             int32_t head, int32_t first, size_t n_keys, int32_t position) {
  std::vector<float> biases(n_keys);
  const models::DistanceBias& bias = attention.distance_bias;
  if (!bias.any()) return biases;
  const std::vector<float> slopes = distance_slopes(bias, attention.n_heads);
  for (size_t i = 0; i < n_keys; ++i) {
    const int32_t distance = first + static_cast<int32_t>(i) - position;
    if (!slopes.empty()) {
      biases[i] = slopes[static_cast<size_t>(head)] * static_cast<float>(distance);
      continue;
    }
    const int32_t bucket = bucket_of(bias, attention.causal, distance);
    biases[i] = weights.data(bias.weight)[bucket * attention.n_heads + head];
  }
  return biases;
}

// Keys and queries of distances, [n_rows x n_heads x head_dim], where there are any.
struct DistanceHeads {
  std::vector<float> keys, queries;
};

DistanceHeads distance_heads(const Attention& attention, const Float32Weights& weights,
                             int64_t n_embd, int n_threads) {
  DistanceHeads heads;
  const models::DistanceVectors& vectors = attention.distance_vectors;
  if (!vectors.any()) return heads;
  const std::span<const float> table = weights.values(vectors.table);
  const std::vector<float> rows =
      normed_rows(vectors, std::vector(table.begin(), table.end()),
                  weights.values(vectors.norm.weight), weights.values(vectors.norm.bias));
  const int64_t width = int64_t{attention.n_heads} * attention.head_dim;
  const auto project = [&](const models::Linear& linear, std::vector<float>& out) {
    if (linear.weight == models::kNoTensor) return;
    out.resize(static_cast<size_t>(vectors.n_rows * width));
    matmul(rows.data(), vectors.n_rows, weights.data(linear.weight), width, n_embd,
           weights.data(linear.bias), out.data(), n_threads);
  };
  project(vectors.keys, heads.keys);
  project(vectors.queries, heads.queries);
  return heads;
}

// What distances add to the product of a query and a key, of one head.
float distance_product(const Attention& attention, const DistanceHeads& heads, int32_t head,
                       int32_t distance, const float* query, const float* key) {
  const models::DistanceVectors& vectors = attention.distance_vectors;
  if (!vectors.any()) return 0.0f;
  const int64_t head_dim = attention.head_dim;
  const int64_t at = (int64_t{row_of(vectors, distance)} * attention.n_heads + head) * head_dim;
  float sum = 0.0f;
  if (!heads.keys.empty()) sum += dot(query, heads.keys.data() + at, head_dim);
  if (!heads.queries.empty()) sum += dot(heads.queries.data() + at, key, head_dim);
  return sum;
}

void attend_row(const Attention& attention, const Float32Weights& weights,
                const DistanceHeads& distances, std::span<const float> query, const Float32Kv& kv,
                int32_t position, std::span<float> result) {
  const int64_t head_dim = attention.head_dim;
  const int64_t kv_width = attention.n_kv_heads * head_dim;
  const int32_t heads_per_kv = attention.n_heads / attention.n_kv_heads;
  const auto length = static_cast<int32_t>(static_cast<int64_t>(kv.keys.size()) / kv_width);
  const auto [first, last] = seen_keys(attention, position, length);
  const auto n_keys = static_cast<size_t>(last - first + 1);
  const std::span<const float> sinks = weights.values(attention.sinks);
  std::vector<float> scores;  // of the keys seen, and of the sink
  std::fill(result.begin(), result.end(), 0.0f);
  for (int32_t head = 0; head < attention.n_heads; ++head) {
    const int64_t kv_offset = head / heads_per_kv * head_dim;
    const std::vector<float> biases = biases_of(attention, weights, head, first, n_keys, position);
    scores.clear();
    for (int32_t p = first; p <= last; ++p) {
      const float* key = kv.keys.data() + p * kv_width + kv_offset;
      const float* own = query.data() + head * head_dim;
      float score = dot(own, key, head_dim);
      score += distance_product(attention, distances, head, position - p, own, key);
      score *= attention.scale;
      if (attention.soft_cap > 0.0f) {
        score = attention.soft_cap * std::tanh(score / attention.soft_cap);
      }
      scores.push_back(score + biases[static_cast<size_t>(p - first)]);
    }
    if (!sinks.empty()) scores.push_back(sinks[static_cast<size_t>(head)]);
    softmax(scores);
    float* out = result.data() + head * head_dim;
    for (int32_t p = first; p <= last; ++p) {
      const float* value = kv.values.data() + p * kv_width + kv_offset;
      const float weight = scores[static_cast<size_t>(p - first)];
      for (int64_t i = 0; i < head_dim; ++i) out[i] += weight * value[i];
    }
  }
}

}  // namespace

SeenKeys seen_keys(const Attention& attention, int32_t position, int32_t length) {
  if (attention.causal && attention.section > 0) {
    return {position / attention.section * attention.section, position};
  }
  if (attention.causal) {
    return {attention.window == 0 ? 0 : std::max(0, position - attention.window + 1), position};
  }
  if (attention.window == 0) return {0, length - 1};
  const int32_t reach = attention.window / 2;
  return {std::max(0, position - reach), std::min(length - 1, position + reach)};
}

void attend_float32(const Attention& attention, const Float32Weights& weights,
                    std::span<const Row> rows, std::span<Float32Kv* const> kv, const float* x,
                    int64_t n_embd, float* y, int n_threads) {
  const auto n_rows = static_cast<int64_t>(rows.size());
  HeadRows q(rows.size(), attention.n_heads, attention.head_dim);
  HeadRows k(rows.size(), attention.n_kv_heads, attention.head_dim);
  HeadRows v(rows.size(), attention.n_kv_heads, attention.head_dim);
  const auto project = [&](const models::Linear& linear, HeadRows& out) {
    multiply(weights, linear, x, n_rows, out.width, n_embd, out.values.data(), n_threads);
    if (attention.clip == 0.0f) return;
    for (float& value : out.values) value = std::clamp(value, -attention.clip, attention.clip);
  };
  project(attention.q, q);
  const bool keeps = attention.kv_of < 0;
  if (keeps) {
    project(attention.k, k);
    project(attention.v, v);
  }

  const RopeAngles angles(attention.rope, weights.values(attention.rope.frequency_divisors),
                          weights.values(attention.rope.long_divisors));
  std::vector<float> cosines(angles.n_pairs());
  std::vector<float> sines(angles.n_pairs());
  for (size_t i = 0; i < rows.size(); ++i) {
    angles.at(rows[i].position, kv[i]->long_text, cosines.data(), sines.data());
    prepare_heads(attention, attention.q_norm, weights, cosines, sines, q.row(i));
    const float growth = growth_at(attention.growth, rows[i].position);
    for (float& value : q.row(i)) value *= growth;
    if (!keeps) continue;
    prepare_heads(attention, attention.k_norm, weights, cosines, sines, k.row(i));
    norm_heads(attention.v_norm, attention.head_dim, v.row(i));
    kv[i]->keys.insert(kv[i]->keys.end(), k.row(i).begin(), k.row(i).end());
    kv[i]->values.insert(kv[i]->values.end(), v.row(i).begin(), v.row(i).end());
  }

  const DistanceHeads distances = distance_heads(attention, weights, n_embd, n_threads);
  HeadRows mixed(rows.size(), attention.n_heads, attention.head_dim);
  parallel_ranges(n_threads, n_rows, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      attend_row(attention, weights, distances, q.row(i), *kv[i], rows[i].position, mixed.row(i));
    }
  });
  multiply(weights, attention.o, mixed.values.data(), n_rows, n_embd, mixed.width, y, n_threads);
}

}  // namespace strata::inference
