// Vectors of distances (spec.h's DistanceVectors): their rows for every executor alike, and what
// the fast one makes of them at load.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/fast_weights.h"
#include "models/family/spec.h"
#include "tensor/sequence_attention.h"

namespace strata::inference {

// Of a query that stands `distance` positions behind the key, before it where negative.
int32_t row_of(const models::DistanceVectors& vectors, int32_t distance);

// The rows that keys and queries are made of: [n_rows x n_embd], normed.
std::vector<float> normed_rows(const models::DistanceVectors& vectors, std::vector<float> table,
                               std::span<const float> weight, std::span<const float> bias);

// Keys and queries of all distances of one attention: no text changes them.
class PackedDistances {
 public:
  PackedDistances() = default;
  PackedDistances(const models::Attention& attention, Packer& packer);

  // Before use, on one thread: sequences of so many positions will be read.
  void reach(int32_t n_positions);
  tensor::SequenceDistances of_step() const;
  int64_t bytes() const {
    return static_cast<int64_t>((keys_.size() + queries_.size()) * sizeof(float));
  }

 private:
  models::DistanceVectors vectors_;
  std::vector<float> keys_, queries_;  // [n_heads][n_rows][head_dim], or empty
  std::vector<int32_t> rows_;          // of distances -n .. n
};

// Bytes of PackedDistances at load, all heads together.
int64_t distance_bytes(const models::Attention& attention);

}  // namespace strata::inference
