// Phi 3, 3.5, 4 (text): as Llama with fused matrices, RoPE on halves, of Phi 4 mini on a part of
// the head; long ones with LongRoPE (spec_rope.cpp).
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"},
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"},
};

class Phi3 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"phi3"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "phi3");
    return build.decoder([&](int32_t i) -> Layer {
      Attention op = build.attention(i, RopeKind::halves);
      op.window = build.window(i, 0);
      const int32_t width = build.spec.n_embd;
      return {{{build.rms_norm(layer_name(i, "attn_norm"), width), op, {}, false},
               {build.rms_norm(layer_name(i, "ffn_norm"), width),
                build.fused_mlp(i, Activation::silu),
                {},
                false}}};
    });
  }

  std::vector<HfClass> hf_classes() const override { return {{"Phi3ForCausalLM", "phi3", "phi3"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.windows();
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Phi3>()};

}  // namespace
}  // namespace strata::models
