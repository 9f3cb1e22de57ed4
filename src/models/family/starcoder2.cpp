// StarCoder 2: layer norms with biases, plain GELU MLP, biases on all projections, a window in the
// smaller ones, RoPE on halves.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.mlp.c_fc"},
    TensorRule{"blk.{}.ffn_down", "model.layers.{}.mlp.c_proj"},
};

class Starcoder2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"starcoder2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "starcoder2");
    const auto norm = [&](const std::string& name) {
      return build.layer_norm(name, build.spec.n_embd);
    };
    return build.decoder(
        [&](int32_t i) -> Layer {
          Attention op = build.attention(i, RopeKind::halves);
          op.window = build.window(i, 0);
          return {{{norm(layer_name(i, "attn_norm")), op, {}, false},
                   {norm(layer_name(i, "ffn_norm")),
                    build.mlp(i, false, Activation::gelu_tanh),
                    {},
                    false}}};
        },
        norm("output_norm"));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Starcoder2ForCausalLM", "starcoder2", "starcoder2"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu_pytorch_tanh", "gelu_new"});
    t.decoder_keys();
    t.windows();
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Starcoder2>()};

}  // namespace
}  // namespace strata::models
