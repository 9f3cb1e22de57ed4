// Small models with random weights of any type, built in memory, for tests of executors.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/model.h"

namespace strata::inference {

struct TinyOptions {
  tensor::DType type = tensor::DType::q8_0;  // of the matrices
  tensor::DType embedding_type = tensor::DType::q8_0;
  bool tied_head = true;
  int32_t n_vocab = 96;
  int32_t n_embd = 64;
  int32_t n_hidden = 128;
  int32_t n_heads = 4;
  int32_t n_kv_heads = 2;
  int32_t head_dim = 32;
  std::vector<int32_t> windows{0, 40};  // one a layer
  bool sections = false;  // `windows` are sections, and queries grow where there is none
  bool sinks = false;
  float alibi = 0.0f;
  models::RopeKind rope = models::RopeKind::halves;
  int32_t rope_dims = 32;
  int32_t short_context = 0;  // not 0: frequencies have divisors, longer texts others
  int32_t growing_from = 0;   // not 0: the base of longer texts grows with them
  models::NormKind norm = models::NormKind::rms;
  models::Activation activation = models::Activation::silu;
  bool gated = true;
  float limit = 0.0f;
  float up_offset = 0.0f;
  bool qk_norm = false;
  models::HeadNorms head_norms = models::HeadNorms::shared;
  models::NormKind head_norm = models::NormKind::rms;
  float clip = 0.0f;
  int32_t n_buckets = 0;  // not 0: a bias by distance, up to 100
  bool post_norms = false;
  bool biases = false;
  bool parallel = false;
  int32_t n_latent = 0;  // not 0: latent attention, which has no windows and no qk_norm
  int32_t plain_dim = 32;
  int32_t value_dim = 32;
  int32_t q_rank = 0;  // 0: queries of x itself
  bool k_b_transposed = true;
  int32_t n_state = 0;  // not 0: every second layer, from the first on, is a state space
  int32_t n_state_heads = 6;
  int32_t state_head_dim = 16;
  int32_t n_state_groups = 2;
  // Not 0: as many streams a row, with residuals of low rank, sparse gates and normed values; the
  // second half of the layers see the keys of the first.
  int32_t n_streams = 0;
  int32_t n_side = 32;
  bool projections = false;  // every second layer, from the second on, has a matrix for attention
  int32_t n_experts = 0;     // 0: a plain MLP
  int32_t n_used = 0;
  bool renormalized = false;
  bool weighs_inputs = false;
  bool shared_expert = false;  // with a gate
  int32_t n_groups = 1;        // more: sigmoids with a bias, half of the groups, by their two best
  float attention_soft_cap = 0.0f;
  float logit_soft_cap = 0.0f;
  float logit_scale = 1.0f;
  float embedding_scale = 1.0f;
  float residual_scale = 1.0f;
  uint32_t seed = 1;
};

// No tokenizer and no template. The file's bytes live as long as the model.
std::shared_ptr<const models::Model> tiny_model(const TinyOptions& options);

// A model of each shape that executors must handle, named for messages.
struct NamedOptions {
  const char* name;
  TinyOptions options;
};
std::vector<NamedOptions> tiny_variants();

}  // namespace strata::inference
