#include "inference/block/distance_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

constexpr size_t kFirstReach = 128;

// [rows x (heads x head_dim)] to [heads][rows][head_dim].
std::vector<float> by_heads(const std::vector<float>& rows, int64_t n_rows, int64_t n_heads,
                            int64_t head_dim) {
  std::vector<float> heads(rows.size());
  for (int64_t head = 0; head < n_heads; ++head) {
    for (int64_t row = 0; row < n_rows; ++row) {
      std::copy_n(rows.data() + (row * n_heads + head) * head_dim, head_dim,
                  heads.data() + (head * n_rows + row) * head_dim);
    }
  }
  return heads;
}

}  // namespace

// In float32, as the models were trained: where a row ends, other roundings give its neighbour.
int32_t row_of(const models::DistanceVectors& vectors, int32_t distance) {
  const int32_t far = std::abs(distance);
  int32_t steps = far;
  if (vectors.n_single > 0 && far > vectors.n_single) {
    const auto single = static_cast<float>(vectors.n_single);
    const auto whole =
        static_cast<float>(static_cast<double>(vectors.max_distance - 1) / vectors.n_single);
    const float part = std::log(static_cast<float>(far) / single) / std::log(whole);
    steps =
        static_cast<int32_t>(std::ceil(part * static_cast<float>(vectors.n_single - 1)) + single);
  }
  const int32_t middle = vectors.n_rows / 2;
  return std::clamp(distance < 0 ? middle - steps : middle + steps, 0, vectors.n_rows - 1);
}

std::vector<float> normed_rows(const models::DistanceVectors& vectors, std::vector<float> table,
                               std::span<const float> weight, std::span<const float> bias) {
  const auto or_null = [](std::span<const float> v) { return v.empty() ? nullptr : v.data(); };
  const size_t width = table.size() / static_cast<size_t>(vectors.n_rows);
  for (size_t begin = 0; begin < table.size(); begin += width) {
    const auto row = std::span(table).subspan(begin, width);
    apply_norm(vectors.norm.kind, vectors.norm.epsilon, or_null(weight), or_null(bias), row, row);
  }
  return table;
}

PackedDistances::PackedDistances(const models::Attention& attention, Packer& packer)
    : vectors_(attention.distance_vectors) {
  if (!vectors_.any()) return;
  const std::vector<float> rows =
      normed_rows(vectors_, packer.vector(vectors_.table), packer.vector(vectors_.norm.weight),
                  packer.vector(vectors_.norm.bias));
  const auto made = [&](const models::Linear& linear) {
    if (linear.weight == models::kNoTensor) return std::vector<float>{};
    return by_heads(packer.product(linear, rows, vectors_.n_rows), vectors_.n_rows,
                    attention.n_heads, attention.head_dim);
  };
  keys_ = made(vectors_.keys);
  queries_ = made(vectors_.queries);
}

void PackedDistances::reach(int32_t n_positions) {
  if (!vectors_.any() || rows_.size() > 2 * static_cast<size_t>(n_positions)) return;
  const auto most =
      static_cast<int32_t>(std::max({static_cast<size_t>(n_positions), rows_.size(), kFirstReach}));
  rows_.clear();
  for (int32_t distance = -most; distance <= most; ++distance) {
    rows_.push_back(row_of(vectors_, distance));
  }
}

tensor::SequenceDistances PackedDistances::of_step() const {
  if (!vectors_.any()) return {};
  return {.keys = keys_.empty() ? nullptr : keys_.data(),
          .queries = queries_.empty() ? nullptr : queries_.data(),
          .n_rows = vectors_.n_rows,
          .row = rows_.data() + rows_.size() / 2};
}

int64_t distance_bytes(const models::Attention& attention) {
  const models::DistanceVectors& vectors = attention.distance_vectors;
  if (!vectors.any()) return 0;
  const int64_t kinds = (vectors.keys.weight != models::kNoTensor ? 1 : 0) +
                        (vectors.queries.weight != models::kNoTensor ? 1 : 0);
  return kinds * attention.n_heads * vectors.n_rows * attention.head_dim *
         static_cast<int64_t>(sizeof(float));
}

}  // namespace strata::inference
