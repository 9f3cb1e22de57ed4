// Gemma 3 (text): norms before and after each block, norms on Q and K, gated GELU, five layers with
// a sliding window and their own RoPE base between two that see everything, embeddings times
// sqrt(n_embd). The "1 +" of its norm weights is already in the file's.
#include <array>
#include <cmath>

#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kNorms{
    TensorRule{"output_norm", "model.norm", Change::one_plus},
    TensorRule{"blk.{}.attn_norm", "model.layers.{}.input_layernorm", Change::one_plus},
    TensorRule{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", Change::one_plus},
    TensorRule{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", Change::one_plus},
    TensorRule{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm",
               Change::one_plus},
    TensorRule{"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm", Change::one_plus},
    TensorRule{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm",
               Change::one_plus},
};

constexpr int32_t kPattern = 6;              // layers 6, 12, 18, … have no window
constexpr float kWindowRopeBase = 10000.0f;  // of layers with a window; not in older files
constexpr int32_t kLayersOf27B = 62;

class Gemma3 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gemma3"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gemma3");
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      build.spec.layers.push_back({{attention(build, i), mlp(build, i)}});
    }
    build.spec.embedding_scale = std::sqrt(static_cast<float>(build.spec.n_embd));
    build.spec.final_norm = build.rms_norm("output_norm", build.spec.n_embd);
    build.spec.logit_soft_cap = build.number_or("final_logit_softcapping", 0.0f);
    build.head();
    return std::move(build.spec);
  }

  std::vector<HfClass> hf_classes() const override { return {{"Gemma3ForCausalLM", "gemma3"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu_pytorch_tanh"});
    t.decoder_keys();
    t.windows();
    t.copy_number("final_logit_softcapping", {"final_logit_softcapping"});
    t.copy_number("attn_logit_softcapping", {"attn_logit_softcapping"});
    if (const auto width = t.config().number("query_pre_attn_scalar"); width && *width > 0) {
      t.set_number("attention.scale", 1.0 / std::sqrt(*width));
    }
    t.tensors(kNorms);
    t.tensors(decoder_rules());
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    // The 27B model divides by another width (query_pre_attn_scalar of its configuration).
    op.scale = build.attention_scale(
        build.n_layers() == kLayersOf27B ? build.spec.n_embd / op.n_heads : op.head_dim);
    op.soft_cap = build.number_or("attn_logit_softcapping", 0.0f);
    const int32_t window = build.count_or("attention.sliding_window", 0, 0, kMaxContext);
    if (window > 0 && build.is_windowed(layer, kPattern)) {
      op.window = window;
      op.rope.base = build.number_or("rope.freq_base_swa", kWindowRopeBase);
      op.rope.position_scale = 1.0f;
      op.rope.yarn = {};
    }
    build.norms_of_q_and_k(op, layer, false);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op,
            build.rms_norm(layer_name(layer, "post_attention_norm"), build.spec.n_embd), false};
  }

  static Block mlp(SpecBuilder& build, int32_t layer) {
    return {build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd),
            build.mlp(layer, true, Activation::gelu_tanh),
            build.rms_norm(layer_name(layer, "post_ffw_norm"), build.spec.n_embd), false};
  }
};

const Registered<Family> registered{std::make_unique<Gemma3>()};

}  // namespace
}  // namespace strata::models
