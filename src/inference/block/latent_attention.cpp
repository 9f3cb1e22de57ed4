#include "inference/block/latent_attention.h"

#include <algorithm>
#include <vector>

#include "inference/block/rope.h"
#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

using models::LatentAttention;

struct Context {
  const LatentAttention& op;
  const Float32Weights& weights;
  int64_t n_rows;
  int64_t n_embd;
  int n_threads;

  int64_t key_width() const { return op.n_latent + op.rope.n_dims; }
  int64_t head_width() const { return op.plain_dim + op.rope.n_dims; }

  std::vector<float> multiply(const models::Linear& linear, const float* in, int64_t cols,
                              int64_t outputs) const {
    std::vector<float> out(static_cast<size_t>(n_rows * outputs));
    strata::inference::multiply(weights, linear, in, n_rows, outputs, cols, out.data(), n_threads);
    return out;
  }

  void norm(const models::Norm& norm, std::span<float> x) const {
    apply_norm(norm.kind, norm.epsilon, weights.data(norm.weight), weights.data(norm.bias), x, x);
  }
};

// [rows x n_heads x (plain_dim + rope.n_dims)], not yet rotated.
std::vector<float> queries(const Context& c, const float* x) {
  const int64_t width = c.op.n_heads * c.head_width();
  if (c.op.q_a.weight == models::kNoTensor) return c.multiply(c.op.q, x, c.n_embd, width);
  const size_t rank = c.weights.values(c.op.q_a.weight).size() / static_cast<size_t>(c.n_embd);
  const auto n = static_cast<int64_t>(rank);
  std::vector<float> narrow = c.multiply(c.op.q_a, x, c.n_embd, n);
  for (size_t at = 0; at < narrow.size(); at += rank) {
    c.norm(c.op.q_a_norm, std::span(narrow).subspan(at, rank));
  }
  return c.multiply(c.op.q, narrow.data(), n, width);
}

// What a matrix of each head is multiplied with, for who observes it: `numbers_of` gives the n_cols
// of a row and a head.
template <typename F>
void observe_heads(const Context& c, std::span<const models::TensorId> matrices, int32_t n_cols,
                   const F& numbers_of) {
  std::vector<float> inputs(static_cast<size_t>(c.n_rows * n_cols));
  for (size_t head = 0; head < matrices.size(); ++head) {
    for (int64_t row = 0; row < c.n_rows; ++row) {
      std::copy_n(numbers_of(row, static_cast<int64_t>(head)), n_cols,
                  inputs.data() + row * n_cols);
    }
    c.weights.observer()->observe(matrices[head], inputs.data(), c.n_rows, n_cols);
  }
}

// k_b's transpose times the plain part of a query, so that q . k_b c is one product with c.
std::vector<float> into_latent(const Context& c, size_t head, const float* query) {
  const float* k_b = c.weights.data(c.op.k_b[head]);
  std::vector<float> out(static_cast<size_t>(c.op.n_latent));
  for (int32_t i = 0; i < c.op.n_latent; ++i) {
    for (int32_t d = 0; d < c.op.plain_dim; ++d) {
      const int64_t at =
          c.op.k_b_transposed ? int64_t{i} * c.op.plain_dim + d : int64_t{d} * c.op.n_latent + i;
      out[static_cast<size_t>(i)] += k_b[at] * query[d];
    }
  }
  return out;
}

// `means`: of each head, n_latent numbers.
void attend_row(const Context& c, const float* query, const Float32Kv& kv, int32_t position,
                float* means, float* result) {
  const int64_t width = c.key_width();
  std::vector<float> scores(static_cast<size_t>(position) + 1);
  const auto n_latent = static_cast<size_t>(c.op.n_latent);
  for (size_t head = 0; head < c.op.k_b.size(); ++head) {
    const float* plain = query + static_cast<int64_t>(head) * c.head_width();
    const std::vector<float> latent = into_latent(c, head, plain);
    for (size_t p = 0; p < scores.size(); ++p) {
      const float* key = kv.keys.data() + static_cast<int64_t>(p) * width;
      scores[p] = c.op.scale * (dot(latent.data(), key, c.op.n_latent) +
                                dot(plain + c.op.plain_dim, key + c.op.n_latent, c.op.rope.n_dims));
    }
    softmax(scores);
    const std::span mean(means + head * n_latent, n_latent);
    std::ranges::fill(mean, 0.0f);
    for (size_t p = 0; p < scores.size(); ++p) {
      const float* key = kv.keys.data() + static_cast<int64_t>(p) * width;
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += scores[p] * key[i];
    }
    const float* v_b = c.weights.data(c.op.v_b[head]);
    for (int32_t d = 0; d < c.op.value_dim; ++d) {
      *result++ = dot(mean.data(), v_b + int64_t{d} * c.op.n_latent, c.op.n_latent);
    }
  }
}

}  // namespace

void attend_latent_float32(const LatentAttention& attention, const Float32Weights& weights,
                           std::span<const Row> rows, std::span<Float32Kv* const> kv,
                           const float* x, int64_t n_embd, float* y, int n_threads) {
  const Context c{attention, weights, static_cast<int64_t>(rows.size()), n_embd, n_threads};
  const auto head_width = static_cast<size_t>(c.head_width());
  const auto q_width = static_cast<size_t>(attention.n_heads) * head_width;
  const auto key_width = static_cast<size_t>(c.key_width());
  const auto rotated = static_cast<size_t>(attention.rope.n_dims);
  std::vector<float> q = queries(c, x);
  std::vector<float> keys = c.multiply(attention.kv_a, x, n_embd, c.key_width());

  const RopeAngles angles(attention.rope, weights.values(attention.rope.frequency_divisors),
                          weights.values(attention.rope.long_divisors));
  std::vector<float> cosines(angles.n_pairs());
  std::vector<float> sines(angles.n_pairs());
  for (size_t i = 0; i < rows.size(); ++i) {
    angles.at(rows[i].position, kv[i]->long_text, cosines.data(), sines.data());
    const auto rotate_end = [&](std::span<float> part) {
      rotate(attention.rope.kind, cosines, sines, part.last(rotated));
    };
    const auto query = std::span(q).subspan(i * q_width, q_width);
    for (size_t at = 0; at < q_width; at += head_width) rotate_end(query.subspan(at, head_width));
    const auto key = std::span(keys).subspan(i * key_width, key_width);
    c.norm(attention.kv_norm, key.first(key_width - rotated));
    rotate_end(key);
    kv[i]->keys.insert(kv[i]->keys.end(), key.begin(), key.end());
  }

  const int64_t result_width = int64_t{attention.n_heads} * attention.value_dim;
  const int64_t means_width = int64_t{attention.n_heads} * attention.n_latent;
  std::vector<float> means(rows.size() * static_cast<size_t>(means_width));
  std::vector<float> results(rows.size() * static_cast<size_t>(result_width));
  parallel_ranges(n_threads, c.n_rows, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto row = static_cast<size_t>(i);
      attend_row(c, q.data() + row * q_width, *kv[row], rows[row].position,
                 means.data() + i * means_width, results.data() + i * result_width);
    }
  });
  if (weights.observer() != nullptr) {
    const auto query = [&](int64_t row, int64_t head) {
      return q.data() + row * static_cast<int64_t>(q_width) + head * c.head_width();
    };
    const auto latent = [&](int64_t row, int64_t) { return keys.data() + row * c.key_width(); };
    if (attention.k_b_transposed) {
      observe_heads(c, attention.k_b, attention.plain_dim, query);
    } else {
      observe_heads(c, attention.k_b, attention.n_latent, latent);
    }
    observe_heads(c, attention.v_b, attention.n_latent, [&](int64_t row, int64_t head) {
      return means.data() + row * means_width + head * attention.n_latent;
    });
  }
  multiply(weights, attention.o, results.data(), c.n_rows, n_embd, result_width, y, n_threads);
}

}  // namespace strata::inference
