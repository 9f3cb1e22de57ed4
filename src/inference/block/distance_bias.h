// The bias of scores by distance (spec.h's DistanceBias), for every executor alike.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/family/spec.h"

namespace strata::inference {

// Of a key that stands `distance` positions behind the query, or before it where negative.
int32_t bucket_of(const models::DistanceBias& bias, bool causal, int32_t distance);

// ALiBi's slope of each head, scaled; empty: there are none.
std::vector<float> distance_slopes(const models::DistanceBias& bias, int32_t n_heads);

// The bias of each head by distance, as the kernels of attention read it.
class DistanceTable {
 public:
  // values: of bias.weight, or the slopes.
  DistanceTable(const models::DistanceBias& bias, bool causal, std::vector<float> values);

  // Before use, on one thread: sequences of so many positions will be read.
  void reach(int32_t n_positions);
  // Head h, key s positions behind the query where attention is causal, else query s positions
  // behind the key: data()[h * stride() + s].
  const float* data() const { return table_.data() + before_; }
  int64_t stride() const { return stride_; }
  bool is_of(const models::DistanceBias& bias, bool causal, int32_t n_heads) const {
    return bias_ == bias && causal_ == causal && n_heads_ == n_heads;
  }

 private:
  float at(int32_t head, int32_t distance) const;

  models::DistanceBias bias_;
  bool causal_;
  std::vector<float> values_;
  int32_t n_heads_;
  std::vector<float> table_;  // [n_heads][stride_]
  int64_t before_ = 0;        // entries of negative s
  int64_t stride_ = 0;
};

// Those of a model: layers that have the same bias share a table.
class DistanceTables {
 public:
  // At load. -1: of no bias.
  int32_t add(const models::DistanceBias& bias, bool causal, int32_t n_heads,
              std::vector<float> values);
  // What attention's setup needs; null and 0 of no bias.
  const float* data(int32_t table) const { return table < 0 ? nullptr : at(table).data(); }
  int64_t stride(int32_t table) const { return table < 0 ? 0 : at(table).stride(); }
  void reach(int32_t table, int32_t n_positions) {
    if (table >= 0) tables_[static_cast<size_t>(table)].reach(n_positions);
  }

 private:
  const DistanceTable& at(int32_t table) const { return tables_[static_cast<size_t>(table)]; }

  std::vector<DistanceTable> tables_;
};

}  // namespace strata::inference
