// GPT-2: learned positions, layer norms with biases, plain GELU MLP, fused QKV. Folders store all
// matrices of a layer [in x out].
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "wte"},
    TensorRule{"position_embd", "wpe"},
    TensorRule{"output_norm", "ln_f"},
    TensorRule{"blk.{}.attn_norm", "h.{}.ln_1"},
    TensorRule{"blk.{}.attn_qkv", "h.{}.attn.c_attn", Change::transposed},
    TensorRule{"blk.{}.attn_output", "h.{}.attn.c_proj", Change::transposed},
    TensorRule{"blk.{}.ffn_norm", "h.{}.ln_2"},
    TensorRule{"blk.{}.ffn_up", "h.{}.mlp.c_fc", Change::transposed},
    TensorRule{"blk.{}.ffn_down", "h.{}.mlp.c_proj", Change::transposed},
};
constexpr std::array kHead{TensorRule{"output", "lm_head"}};

class Gpt2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gpt2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gpt2");
    ModelSpec& spec = build.spec;
    spec.position_embedding = build.matrix("position_embd.weight", spec.n_context, spec.n_embd);
    const auto norm = [&](const std::string& name) { return build.layer_norm(name, spec.n_embd); };
    return build.decoder(
        [&](int32_t i) -> Layer {
          return {
              {{norm(layer_name(i, "attn_norm")), build.attention(i, RopeKind::none), {}, false},
               {norm(layer_name(i, "ffn_norm")),
                build.mlp(i, false, Activation::gelu_tanh),
                {},
                false}}};
        },
        norm("output_norm"));
  }

  std::vector<HfClass> hf_classes() const override { return {{"GPT2LMHeadModel", "gpt2", "gpt2"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu_new", "gelu_pytorch_tanh"});
    t.decoder_keys();
    if (!t.config().find("n_inner")) {
      t.set_integer("feed_forward_length", 4 * t.config().need_integer({"n_embd"}));
    }
    // Buffers of the causal mask.
    t.ignore(".attn.bias");
    t.ignore(".attn.masked_bias");
    t.tensors(kHead);
    t.set_usual_prefix("transformer.", "wte.weight");
    t.tensors(kRules);
  }
};

const Registered<Family> registered{std::make_unique<Gpt2>()};

}  // namespace
}  // namespace strata::models
