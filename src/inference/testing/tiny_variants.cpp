#include "inference/testing/tiny_model.h"

namespace strata::inference {

using models::NormKind;
using tensor::DType;

std::vector<NamedOptions> tiny_variants() {
  TinyOptions gemma;
  gemma.type = DType::q5_0;
  gemma.qk_norm = gemma.post_norms = true;
  gemma.activation = models::Activation::gelu_tanh;
  gemma.embedding_scale = 8.0f;
  gemma.n_heads = 4;
  gemma.n_kv_heads = 1;
  gemma.head_dim = 80;
  gemma.rope_dims = 80;
  gemma.windows = {30, 0, 300};
  TinyOptions neox;
  neox.type = DType::f16;
  neox.norm = NormKind::layer;
  neox.biases = neox.parallel = true;
  neox.gated = neox.tied_head = false;
  neox.activation = models::Activation::gelu_erf;
  neox.rope_dims = 8;
  TinyOptions llama;
  llama.type = DType::q4_1;
  llama.rope = models::RopeKind::adjacent;
  llama.windows = {0, 0};
  TinyOptions capped;
  capped.type = DType::q8_0;
  capped.biases = true;
  capped.head_dim = capped.rope_dims = 40;  // padded in the cache
  capped.tied_head = false;
  capped.attention_soft_cap = 5.0f;
  capped.logit_soft_cap = 10.0f;
  capped.logit_scale = 0.5f;
  TinyOptions k_quants;
  k_quants.type = DType::q4_k;
  k_quants.embedding_type = DType::q6_k;
  k_quants.n_embd = 256;
  k_quants.n_hidden = 256;
  k_quants.n_heads = 8;
  k_quants.rope_dims = 16;
  TinyOptions experts;
  experts.n_experts = 6;
  experts.n_used = 2;
  experts.renormalized = true;
  experts.n_hidden = 96;
  TinyOptions shared_expert;
  shared_expert.type = DType::f16;
  shared_expert.residual_scale = 0.4f;
  shared_expert.n_experts = 9;
  shared_expert.n_used = 4;
  shared_expert.qk_norm = true;
  shared_expert.head_norms = models::HeadNorms::joined;
  shared_expert.shared_expert = shared_expert.biases = shared_expert.post_norms = true;
  TinyOptions latent;
  latent.n_latent = 64;
  latent.q_rank = 32;
  latent.rope_dims = 16;
  latent.rope = models::RopeKind::adjacent;
  latent.n_heads = 5;
  latent.n_experts = 12;
  latent.n_used = 3;
  latent.n_groups = 4;
  latent.renormalized = latent.shared_expert = true;
  TinyOptions latent_odd;
  latent_odd.type = DType::f16;
  latent_odd.n_latent = 42;
  latent_odd.plain_dim = 23;
  latent_odd.value_dim = 21;
  latent_odd.rope_dims = 10;
  latent_odd.rope = models::RopeKind::adjacent;
  latent_odd.n_heads = 3;
  latent_odd.k_b_transposed = latent_odd.tied_head = false;
  latent_odd.biases = true;
  TinyOptions streams;
  streams.n_streams = 3;
  streams.windows = {40, 0, 40, 0};
  streams.qk_norm = streams.post_norms = true;
  streams.activation = models::Activation::gelu_tanh;
  TinyOptions hybrid;
  hybrid.n_state = 24;
  hybrid.windows = {0, 0, 0};
  hybrid.rope = models::RopeKind::none;
  hybrid.residual_scale = 0.5f;
  TinyOptions own_head_norms;
  own_head_norms.qk_norm = own_head_norms.parallel = true;
  own_head_norms.norm = own_head_norms.head_norm = NormKind::layer;
  own_head_norms.head_norms = models::HeadNorms::own;
  own_head_norms.rope = models::RopeKind::none;
  TinyOptions clipped;
  clipped.type = DType::f16;
  clipped.biases = true;
  clipped.clip = 0.5f;
  TinyOptions limited_experts;
  limited_experts.type = DType::mxfp4;
  limited_experts.sinks = limited_experts.biases = limited_experts.renormalized = true;
  limited_experts.windows = {40, 0};
  limited_experts.head_dim = limited_experts.rope_dims = 48;
  limited_experts.activation = models::Activation::gelu_sigmoid;
  limited_experts.limit = 0.8f;
  limited_experts.up_offset = 1.0f;
  limited_experts.n_experts = 7;
  limited_experts.n_used = 3;
  limited_experts.n_hidden = 96;
  TinyOptions sections;
  sections.sections = sections.weighs_inputs = sections.shared_expert = true;
  sections.windows = {70, 0, 300};
  sections.n_experts = 5;
  sections.n_used = 1;
  TinyOptions alibi;
  alibi.norm = NormKind::layer;
  alibi.biases = true;
  alibi.gated = false;
  alibi.activation = models::Activation::gelu_tanh;
  alibi.rope = models::RopeKind::none;
  alibi.alibi = 8.0f;
  alibi.n_heads = alibi.n_kv_heads = 6;
  TinyOptions distances;
  distances.rope = models::RopeKind::none;
  distances.n_buckets = 14;
  TinyOptions projections;
  projections.projections = projections.biases = true;
  projections.windows = {0, 0, 0};
  return {{"projections", projections},
          {"distances", distances},
          {"streams", streams},
          {"limited_experts", limited_experts},
          {"sections", sections},
          {"alibi", alibi},
          {"own_head_norms", own_head_norms},
          {"clipped", clipped},
          {"llama", llama},
          {"hybrid", hybrid},
          {"experts", experts},
          {"shared_expert", shared_expert},
          {"latent", latent},
          {"latent_odd", latent_odd},
          {"gemma", gemma},
          {"neox", neox},
          {"capped", capped},
          {"k_quants", k_quants}};
}

}  // namespace strata::inference
