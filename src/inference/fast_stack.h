// Layers of the fast executor, packed, and how the rows of a step go through them.
#pragma once

#include <variant>
#include <vector>

#include "inference/block/fast_attention.h"
#include "inference/block/fast_cross_attention.h"
#include "inference/block/fast_latent_attention.h"
#include "inference/block/fast_low_rank.h"
#include "inference/block/fast_mlp.h"
#include "inference/block/fast_moe.h"
#include "inference/block/fast_projection.h"
#include "inference/block/fast_sequence_attention.h"
#include "inference/block/fast_state_space.h"
#include "inference/block/fast_streams.h"
#include "inference/fast_step.h"
#include "inference/fast_weights.h"

namespace strata::inference {

struct FastBlock {
  PackedNorm pre_norm;
  std::variant<FastAttention, FastSequenceAttention, FastLatentAttention, FastCrossAttention,
               FastStateSpace, FastLowRank, FastMix, FastMlp, FastMoe, FastProjection>
      op;
  PackedNorm post_norm;
  PackedNorm sum_norm;
  bool parallel_to_previous = false;
  float scale = 1.0f;
  float sum_scale = 1.0f;

  const std::vector<float>& output_bias() const {
    return std::visit([](const auto& o) -> const std::vector<float>& { return o.output_bias(); },
                      op);
  }
};

class FastStack {
 public:
  FastStack(int32_t n_embd, Step& step) : n_embd_(n_embd), step_(step) {}

  // At load, layer by layer.
  void add(const models::Layer& layer, tensor::KvFormat kv, Packer& packer);
  // Behind layer `layer`, what it does with the streams.
  void add_mix(const models::ModelSpec& spec, size_t layer, Packer& packer);

  // What blocks keep of positions, and of those of sources, in their order.
  std::vector<KvLayer> caches() const;
  std::vector<KvLayer> source_caches() const;
  // Floats a row of what blocks put into step.wide and step.mixed.
  int64_t wide_width() const { return wide_width_; }
  int64_t mixed_width() const { return mixed_width_; }
  bool keeps_normed() const { return keeps_normed_; }  // step.normed
  bool keeps_latent() const { return keeps_latent_; }
  int64_t weight_bytes() const;
  std::vector<std::vector<int32_t>> chosen_experts() const;

  // Before the team starts: the step's rows, spans and buffers stand.
  void prepare();
  // The first block's input of a row whose streams stand.
  void take_input(int64_t row);
  // Every thread: from the first input to the stream. Begins after a barrier and ends with one.
  void run(int thread);

  // Of a step whose rows are those of sources: what blocks keep of them, whose states are the norms
  // of the stream. Begins after a barrier and ends with one.
  void read_states(const PackedNorm& norm, int thread);

 private:
  void add_block(const models::Block& block, tensor::KvFormat kv, Packer& packer);
  float* stream(int64_t row) { return step_.stream.data() + row * n_embd_; }
  void norm_input(size_t block, int64_t row);
  void add_result(size_t index, int thread);
  void predict(size_t mix, int64_t row);
  void mix_result(size_t index, int64_t row);

  int32_t n_embd_;
  Step& step_;
  std::vector<FastBlock> blocks_;
  size_t n_cache_layers_ = 0;
  size_t n_source_layers_ = 0;
  int64_t wide_width_ = 0;
  int64_t mixed_width_ = 0;
  bool keeps_normed_ = false;
  std::vector<size_t> caches_of_attention_;  // of each attention the number of its cache
  std::vector<size_t> mixes_;                // among the blocks
  bool keeps_latent_ = false;
};

}  // namespace strata::inference
