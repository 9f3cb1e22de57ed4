#include "inference/block/distance_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tensor/attention.h"

namespace strata::inference {

// In float32, as the models were trained: where a bucket ends, other roundings give its neighbour.
int32_t bucket_of(const models::DistanceBias& bias, bool causal, int32_t distance) {
  int32_t n = bias.n_buckets;
  int32_t first = 0;
  if (!causal) {
    n /= 2;
    if (distance > 0) first = n;
  }
  const int32_t far = causal ? std::max(0, -distance) : std::abs(distance);
  const int32_t n_single = n / 2;
  if (far < n_single) return first + far;
  const auto single = static_cast<float>(n_single);
  const auto steps =
      static_cast<float>(std::log(static_cast<double>(bias.max_distance) / n_single));
  const float at =
      std::log(static_cast<float>(far) / single) / steps * static_cast<float>(n - n_single);
  return first + std::min(n - 1, n_single + static_cast<int32_t>(at));
}

DistanceTable::DistanceTable(const models::DistanceBias& bias, bool causal,
                             std::vector<float> values)
    : bias_(bias), causal_(causal), values_(std::move(values)) {}

void DistanceTable::reach(int32_t n_positions) {
  constexpr int64_t kVector = 16;  // kernels read whole ones
  if (n_positions + kVector <= before_) return;
  before_ = std::max<int64_t>({n_positions + kVector, 2 * before_, tensor::kBiasAhead});
  const int64_t ahead = causal_ ? tensor::kBiasAhead : before_;
  stride_ = before_ + ahead + 1;
  const auto n_heads = static_cast<int64_t>(values_.size()) / bias_.n_buckets;
  table_.resize(static_cast<size_t>(n_heads * stride_));
  for (int64_t s = -before_; s <= ahead; ++s) {
    const auto distance = static_cast<int32_t>(causal_ ? s : -s);
    const int64_t bucket = bucket_of(bias_, causal_, distance);
    for (int64_t head = 0; head < n_heads; ++head) {
      table_[static_cast<size_t>(head * stride_ + before_ + s)] =
          values_[static_cast<size_t>(bucket * n_heads + head)];
    }
  }
}

int32_t DistanceTables::add(const models::DistanceBias& bias, bool causal,
                            std::vector<float> values) {
  if (bias.weight == models::kNoTensor) return -1;
  const auto known = std::ranges::find_if(
      tables_, [&](const DistanceTable& table) { return table.is_of(bias, causal); });
  if (known != tables_.end()) return static_cast<int32_t>(known - tables_.begin());
  tables_.emplace_back(bias, causal, std::move(values));
  return static_cast<int32_t>(tables_.size()) - 1;
}

}  // namespace strata::inference
