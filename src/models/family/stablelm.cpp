// StableLM: layer norms, gated SiLU, RoPE on a part of the head; StableLM 2 12B with attention and
// MLP side by side behind the same norm, and layer norms with weights of each head's own on Q and
// K.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_layernorm.norms.{e}"},
    TensorRule{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_layernorm.norms.{e}"},
};

class StableLm final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"stablelm"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "stablelm");
    return build.decoder([&](int32_t i) -> Layer { return layer(build, i); },
                         build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"StableLmForCausalLM", "stablelm", "stablelm"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.set_defaults({{"partial_rotary_factor", 0.25}});  // of the class
    t.decoder_keys();
    t.said_by_tensor("qk_layernorm", "blk.0.attn_q_norm.weight");
    t.said_by_tensor("use_qkv_bias", "blk.0.attn_q.bias");
    t.said_by_tensor("use_parallel_residual", "blk.0.ffn_norm.weight", false);
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }

 private:
  // Files disagree on what use_parallel_residual says; the second norm tells.
  static Layer layer(SpecBuilder& build, int32_t i) {
    Attention op = build.attention(i, RopeKind::halves);
    if (build.has(layer_name(i, "attn_q_norm.weight"))) {
      build.norms_of_q_and_k(op, i, HeadNorms::own, NormKind::layer);
    }
    const std::string second = layer_name(i, "ffn_norm");
    const bool parallel = !build.has(second + ".weight");
    const Norm norm = build.layer_norm(layer_name(i, "attn_norm"), build.spec.n_embd);
    return {{{norm, op, {}, false},
             {parallel ? norm : build.layer_norm(second, build.spec.n_embd),
              build.mlp(i, true, Activation::silu),
              {},
              parallel}}};
  }
};

const Registered<Family> registered{std::make_unique<StableLm>()};

}  // namespace
}  // namespace strata::models
