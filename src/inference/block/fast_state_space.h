// Mamba-2's mixer of the fast executor. A row sees its own block of the cache (kv_pool.h): the
// state before the block's first position, and the inputs of the positions up to its own, with
// which it is mixed as attention would (https://arxiv.org/abs/2405.21060, section 6). So a row's
// bits depend on its position only, and taking rows back is forgetting them.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

// What the cache keeps of a block of positions.
KvLayer kv_layer(const models::StateSpace& op);

class FastStateSpace {
 public:
  // cache_layer: the layer's number in the KvCache. Error{invalid_argument} when a state would
  // grow by itself.
  FastStateSpace(const models::StateSpace& op, size_t cache_layer, Packer& packer, Step& step);

  KvLayer cache() const { return kv_layer(op_); }
  void take_input(const PackedNorm& norm, const float* stream, Step& step, int64_t row) const;
  const std::vector<float>& output_bias() const { return out_.bias; }
  int64_t weight_bytes() const;
  int64_t wide_width() const { return op_.projected(); }
  int64_t mixed_width() const;

  void prepare(const Step& /*step*/) {}
  // Every thread: from step.inputs to step.delta, without the output's bias; begins after a barrier
  // and ends without one.
  void run(Step& step, int thread);

 private:
  // A block's page: where its parts begin.
  struct Page {
    float* state;  // [n_heads x head_dim x n_state]
    float* steps;  // [positions x n_heads]
    float* b;      // [n_groups x positions x n_state]
    uint16_t* u;   // bf16 [positions x channels], what is convolved
    uint16_t* x;   // bf16 [positions x inner], convolved
  };
  Page page(const RowSpan& span, int32_t position) const;
  struct Scratch;
  static Scratch& scratch_for(const models::StateSpace& op);

  // In step.mixed: [rows x n_groups x n_state], [rows x n_groups x positions], [rows x inner].
  float* c_of(const Step& step, int64_t row) const;
  float* scores_of(const Step& step, int64_t row) const;
  float* y_of(const Step& step, int64_t row) const;

  void write_inputs(Step& step, int thread) const;
  void convolve(Step& step, int thread) const;
  void convolve_row(Step& step, const RowSpan& span, int64_t row) const;
  void score(Step& step, int thread) const;
  void mix(Step& step, int thread) const;
  void mix_head(Step& step, const RowSpan& span, int32_t head) const;
  void load_block(const Page& page, int32_t head, int32_t n, Scratch& scratch) const;
  void advance_state(const Page& from, const Page& to, int32_t head) const;
  void mix_row(const Page& page, const float* c, const float* scores, int32_t head, int32_t slot,
               float* y) const;
  void gate(Step& step, int thread) const;

  models::StateSpace op_;
  PackedLinear in_, out_;
  std::vector<float> taps_;      // [n_taps x channels]
  std::vector<float> tap_bias_;  // [channels], or empty
  std::vector<float> a_, d_, step_bias_;
  PackedNorm norm_;
  size_t cache_layer_ = 0;
  size_t input_ = 0, out_input_ = 0;
};

}  // namespace strata::inference
