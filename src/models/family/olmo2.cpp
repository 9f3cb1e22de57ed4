// OLMo 2 and 3: norms behind each block and none before it, norms over all heads of Q and K
// together, RoPE on halves; in OLMo 3 three of four layers have a window, and RoPE that is never
// scaled.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kNorms{
    TensorRule{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
};

constexpr int32_t kPattern = 4;  // layers 4, 8, 12, … have no window

class Olmo2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"olmo2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "olmo2");
    return build.decoder(
        [&](int32_t i) -> Layer { return {{attention(build, i), mlp(build, i)}}; });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Olmo2ForCausalLM", "olmo2", "olmo2"}, {kWithWindows, "olmo2", "olmo3"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    if (t.config().architecture() == kWithWindows) {
      t.set_defaults({{"rope_theta", 500000.0}});  // of the class
    }
    t.decoder_keys();
    if (t.config().architecture() == kWithWindows) {
      t.windows();
    } else {
      t.no_windows();
    }
    t.tensors(kNorms);
    t.tensors(decoder_rules());
  }

 private:
  static constexpr std::string_view kWithWindows = "Olmo3ForCausalLM";

  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    op.window = build.window(layer, kPattern);
    if (op.window > 0) {
      op.rope.base = build.number_or("rope.freq_base_swa", op.rope.base);
      op.rope.position_scale = 1.0f;
      op.rope.yarn = {};
    }
    build.norms_of_q_and_k(op, layer, HeadNorms::joined);
    return {
        {}, op, build.rms_norm(layer_name(layer, "post_attention_norm"), build.spec.n_embd), false};
  }

  static Block mlp(SpecBuilder& build, int32_t layer) {
    return {{},
            build.mlp(layer, true, Activation::silu),
            build.rms_norm(layer_name(layer, "post_ffw_norm"), build.spec.n_embd),
            false};
  }
};

const Registered<Family> registered{std::make_unique<Olmo2>()};

}  // namespace
}  // namespace strata::models
