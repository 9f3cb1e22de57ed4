// Phi 1, 1.5, 2: layer norms with biases, attention and plain GELU MLP side by side behind the same
// norm, RoPE on a part of the head, biases everywhere, also on logits.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"output_norm", "model.final_layernorm"},
    TensorRule{"blk.{}.attn_output", "model.layers.{}.self_attn.dense"},
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.mlp.fc1"},
    TensorRule{"blk.{}.ffn_down", "model.layers.{}.mlp.fc2"},
};

class Phi2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"phi2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "phi2");
    return build.decoder(
        [&](int32_t i) -> Layer {
          const Norm norm = build.layer_norm(layer_name(i, "attn_norm"), build.spec.n_embd);
          return {{{norm, build.attention(i, RopeKind::halves), {}, false},
                   {norm, build.mlp(i, false, Activation::gelu_tanh), {}, true}}};
        },
        build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override { return {{"PhiForCausalLM", "phi2", "phi"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu_new", "gelu_pytorch_tanh"});
    t.set_defaults({{"partial_rotary_factor", 0.5}});  // of the class
    t.decoder_keys();
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Phi2>()};

}  // namespace
}  // namespace strata::models
