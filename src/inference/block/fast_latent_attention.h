// Attention over latent vectors of the fast executor. Decode and prompts alike attend in latent
// space, where all heads share what the cache holds (docs/engine/attention.md).
#pragma once

#include <cstdint>
#include <vector>

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

// What the cache keeps of a position, in bf16 whatever the format of others.
KvLayer kv_layer(const models::LatentAttention& attention);

class FastLatentAttention {
 public:
  // cache_layer: the layer's number in the KvCache.
  FastLatentAttention(const models::LatentAttention& attention, size_t cache_layer, Packer& packer,
                      Step& step);

  KvLayer cache() const { return kv_layer(op_); }
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return output_.bias; }
  int64_t weight_bytes() const;
  int64_t wide_width() const;
  int64_t mixed_width() const;

  // Before the team starts.
  void prepare(Step& step);
  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread);

 private:
  int64_t key_width() const { return op_.n_latent + op_.rope.n_dims; }
  int64_t head_width() const { return op_.plain_dim + op_.rope.n_dims; }
  int64_t query_width() const { return op_.n_heads * head_width(); }
  bool is_narrowed() const { return !q_.matrix.empty(); }  // q_a goes before q
  // Where the stages keep their rows: projections and then queries in step.wide; queries in latent
  // space, [rows x n_heads x key_width], and then means of latent vectors, [rows x n_heads x
  // n_latent], in step.mixed.
  float* projections(const Step& step, int64_t row) const;
  float* queries(const Step& step, int64_t row) const;
  float* latent_queries(const Step& step) const { return step.mixed.data(); }
  float* means(const Step& step) const;

  tensor::AttentionSetup setup(const Step& step) const;
  void write_keys(Step& step, int thread) const;
  void prepare_queries(Step& step, int thread) const;
  void attend(Step& step, int thread);
  void multiply_heads(Step& step, const tensor::PackedMatrix& matrix, size_t input, float* out,
                      int64_t head_stride, int thread) const;
  void rotate(const Step& step, int64_t row, float* part) const;

  models::LatentAttention op_;
  PackedLinear first_;      // q_a, or q, and kv_a
  PackedLinear q_;          // behind q_a; else empty
  PackedLinear k_b_, v_b_;  // of all heads, one after the other; k_b's transpose
  PackedLinear output_;
  PackedNorm q_a_norm_, kv_norm_;
  tensor::KvShape shape_;
  size_t cache_layer_ = 0;
  size_t input_ = 0, narrow_input_ = 0, result_input_ = 0, angles_ = 0, plan_ = 0;
  size_t plain_input_ = 0, mean_input_ = 0;   // [n_heads x rows]
  std::vector<tensor::AttentionSpan> spans_;  // of the running step
};

}  // namespace strata::inference
