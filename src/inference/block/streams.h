// Several streams a row (spec.h's Streams and StreamMix): the float32 reference.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/executor.h"
#include "inference/weights.h"

namespace strata::inference {

// Of the rows of a step; the first stream is the executor's own, [rows x n_embd].
class Float32Streams {
 public:
  Float32Streams(const models::ModelSpec& spec, const Float32Weights& weights, int n_threads);

  // From the rows' embeddings: the other streams and the side inputs.
  void open(std::span<const Row> rows, std::span<const float> first);
  // Before and behind the blocks of a layer; `first` changes.
  void predict(const models::StreamMix& mix, std::span<float> first);
  void correct(const models::StreamMix& mix, size_t layer, std::span<float> first);
  // What goes into the final norm takes the place of the first stream.
  void close(std::span<float> first) const;

 private:
  size_t width() const { return static_cast<size_t>(spec_.n_embd); }
  // [rows x n], of the rows of x.
  std::vector<float> modes(const models::StreamMix& mix, std::span<const float> x) const;
  std::vector<float> product(models::TensorId matrix, std::span<const float> x, int64_t n,
                             int64_t k) const;
  void add_side(const models::StreamMix& mix, size_t layer, std::span<const float> first);

  const models::ModelSpec& spec_;
  const Float32Weights& weights_;
  const int n_threads_;
  std::vector<std::vector<float>> others_;  // [n - 1][rows x n_embd]
  std::vector<float> predicted_;            // the first stream before a layer's blocks
  std::vector<float> sides_;                // [rows x n_layers * n_side]
};

}  // namespace strata::inference
