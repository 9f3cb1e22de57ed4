// Self-attention that looks both ways, of the fast executor: packed projections, no cache, since a
// sequence comes whole. Queries, keys and values stay floats.
#pragma once

#include "inference/block/distance_vectors.h"
#include "inference/block/packed_attention.h"
#include "tensor/sequence_attention.h"

namespace strata::inference {

class FastSequenceAttention {
 public:
  FastSequenceAttention(const models::Attention& attention, Packer& packer, Step& step);

  // The block's input of one row: the norm of the stream.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return packed_.output.bias; }
  int64_t weight_bytes() const { return packed_.bytes() + vectors_.bytes(); }
  int64_t wide_width() const { return packed_.qkv.matrix.rows(); }
  int64_t mixed_width() const { return packed_.queries_width(); }

  // Before the team starts: how threads share the rows' sequences.
  void prepare(Step& step);
  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread) const;

 private:
  PackedAttention packed_;
  size_t input_ = 0, mixed_input_ = 0;
  int32_t distances_ = -1;
  PackedDistances vectors_;  // of distances
  tensor::SequenceAttention sequences_;
};

}  // namespace strata::inference
