// Attention to the states of the sequence's source, of the fast executor: their keys and values
// stand in a paged cache of their own, so that a row sees them as it would see a text before it.
#pragma once

#include <vector>

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

KvLayer kv_layer(const models::CrossAttention& attention, tensor::KvFormat kv);

class FastCrossAttention {
 public:
  // cache_layer: the layer's number in the cache of sources.
  FastCrossAttention(const models::CrossAttention& attention, size_t cache_layer,
                     tensor::KvFormat kv, Packer& packer, Step& step);

  KvLayer source_cache() const { return kv_layer(attention_, shape_.format); }
  // The block's input of one row: the norm of the stream.
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return output_.bias; }
  int64_t weight_bytes() const;
  int64_t wide_width() const { return states_.matrix.rows(); }
  int64_t mixed_width() const { return query_.matrix.rows(); }

  // Before the team starts.
  void prepare(Step& step);
  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread);

  // Of a step whose rows are those of sources: one row's state, which is the norm of the stream.
  void take_state(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  // Every thread: keys and values of the states, to the cache. Begins after a barrier and ends with
  // one.
  void read_states(Step& step, int thread) const;

 private:
  tensor::AttentionSetup setup(const Step& step) const;

  models::CrossAttention attention_;
  PackedLinear query_;
  PackedLinear states_;  // keys and values one behind the other
  PackedLinear output_;
  tensor::KvShape shape_;
  size_t cache_layer_ = 0;
  size_t input_ = 0, states_input_ = 0, mixed_input_ = 0, plan_ = 0;
  std::vector<tensor::AttentionSpan> spans_;  // of the running step
};

}  // namespace strata::inference
