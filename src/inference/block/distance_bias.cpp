#include "inference/block/distance_bias.h"

#include <algorithm>
#include <bit>
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

// Of 2^i heads the slopes are 2^(-alibi / 2^i), its square, and so on; heads beyond the greatest
// 2^i take every second slope of 2^(i + 1) heads, from the first on.
std::vector<float> distance_slopes(const models::DistanceBias& bias, int32_t n_heads) {
  if (bias.alibi == 0.0f) return {};
  const auto n_whole = static_cast<int32_t>(std::bit_floor(static_cast<uint32_t>(n_heads)));
  std::vector<float> slopes;
  for (int32_t head = 0; head < n_heads; ++head) {
    const double steps = head < n_whole ? head + 1.0 : head - n_whole + 0.5;
    const double slope = std::exp2(-static_cast<double>(bias.alibi) * steps / n_whole);
    slopes.push_back(static_cast<float>(slope * static_cast<double>(bias.slope_scale)));
  }
  return slopes;
}

DistanceTable::DistanceTable(const models::DistanceBias& bias, bool causal,
                             std::vector<float> values)
    : bias_(bias),
      causal_(causal),
      values_(std::move(values)),
      n_heads_(static_cast<int32_t>(values_.size()) / std::max(1, bias.n_buckets)) {}

float DistanceTable::at(int32_t head, int32_t distance) const {
  const auto row = static_cast<size_t>(head);
  if (bias_.alibi > 0.0f) return values_[row] * static_cast<float>(distance);
  const auto bucket = static_cast<size_t>(bucket_of(bias_, causal_, distance));
  return values_[bucket * static_cast<size_t>(n_heads_) + row];
}

void DistanceTable::reach(int32_t n_positions) {
  constexpr int64_t kVector = 16;  // kernels read whole ones
  if (n_positions + kVector <= before_) return;
  before_ = std::max<int64_t>({n_positions + kVector, 2 * before_, tensor::kBiasAhead});
  const int64_t ahead = causal_ ? tensor::kBiasAhead : before_;
  stride_ = before_ + ahead + 1;
  table_.resize(static_cast<size_t>(n_heads_ * stride_));
  for (int64_t s = -before_; s <= ahead; ++s) {
    const auto distance = static_cast<int32_t>(causal_ ? s : -s);
    for (int32_t head = 0; head < n_heads_; ++head) {
      table_[static_cast<size_t>(head * stride_ + before_ + s)] = at(head, distance);
    }
  }
}

int32_t DistanceTables::add(const models::DistanceBias& bias, bool causal, int32_t n_heads,
                            std::vector<float> values) {
  if (!bias.any()) return -1;
  if (bias.alibi > 0.0f) values = distance_slopes(bias, n_heads);
  const auto known = std::ranges::find_if(
      tables_, [&](const DistanceTable& table) { return table.is_of(bias, causal, n_heads); });
  if (known != tables_.end()) return static_cast<int32_t>(known - tables_.begin());
  tables_.emplace_back(bias, causal, std::move(values));
  return static_cast<int32_t>(tables_.size()) - 1;
}

}  // namespace strata::inference
