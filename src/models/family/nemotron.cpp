// Nemotron 4, Minitron: layer norms with biases, whose "1 +" is already in the file's weights,
// plain MLP with squared ReLU, RoPE on a part of the head.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kNorms{
    TensorRule{"output_norm.weight", "model.norm.weight", Change::one_plus},
    TensorRule{"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight",
               Change::one_plus},
    TensorRule{"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight",
               Change::one_plus},
};

class Nemotron final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"nemotron"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "nemotron");
    const auto norm = [&](const std::string& name) {
      return build.layer_norm(name, build.spec.n_embd);
    };
    return build.decoder(
        [&](int32_t i) -> Layer {
          return {
              {{norm(layer_name(i, "attn_norm")), build.attention(i, RopeKind::halves), {}, false},
               {norm(layer_name(i, "ffn_norm")),
                build.mlp(i, false, Activation::relu_squared),
                {},
                false}}};
        },
        norm("output_norm"));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"NemotronForCausalLM", "nemotron", "nemotron"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"relu2"});
    t.set_defaults({{"partial_rotary_factor", 0.5}});  // of the class
    t.decoder_keys();
    t.tensors(kNorms);
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Nemotron>()};

}  // namespace
}  // namespace strata::models
