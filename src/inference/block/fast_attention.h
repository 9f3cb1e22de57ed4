// Causal self-attention of the fast executor: packed projections, paged cache.
#pragma once

#include <vector>

#include "inference/block/packed_attention.h"

namespace strata::inference {

KvLayer kv_layer(const models::Attention& attention, tensor::KvFormat kv);

class FastAttention {
 public:
  // cache_layer: the number in the KvCache of the layer whose keys it sees.
  FastAttention(const models::Attention& attention, size_t cache_layer, tensor::KvFormat kv,
                Packer& packer, Step& step);

  // Whether it has keys and values of its own.
  bool keeps() const { return packed_.attention.kv_of < 0; }
  KvLayer cache() const { return kv_layer(packed_.attention, shape_.format); }
  // The block's input of one row: the norm of the stream.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return packed_.output.bias; }
  int64_t weight_bytes() const { return packed_.bytes(); }
  int64_t wide_width() const { return packed_.qkv.matrix.rows(); }
  int64_t mixed_width() const { return packed_.queries_width(); }

  // Before the team starts.
  void prepare(Step& step);
  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread);

 private:
  tensor::AttentionSetup setup(const Step& step) const;
  void prepare_rows(Step& step, int thread) const;

  PackedAttention packed_;
  tensor::KvShape shape_;
  size_t cache_layer_ = 0;
  std::vector<float> sinks_;  // [n_heads], or empty
  size_t input_ = 0, mixed_input_ = 0;
  int32_t distances_ = -1;
  size_t plan_ = 0;
  std::vector<tensor::AttentionSpan> spans_;  // of the running step
};

}  // namespace strata::inference
