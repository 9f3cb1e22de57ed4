// GPT-J: layer norms with biases, attention and plain GELU MLP side by side behind the same norm,
// RoPE on adjacent pairs of the head's first part, a bias on logits. GGUF's other writers have no
// name for it; ours is gptj.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "transformer.wte"},
    TensorRule{"output", "lm_head"},
    TensorRule{"output_norm", "transformer.ln_f"},
    TensorRule{"blk.{}.attn_norm", "transformer.h.{}.ln_1"},
    TensorRule{"blk.{}.attn_q", "transformer.h.{}.attn.q_proj"},
    TensorRule{"blk.{}.attn_k", "transformer.h.{}.attn.k_proj"},
    TensorRule{"blk.{}.attn_v", "transformer.h.{}.attn.v_proj"},
    TensorRule{"blk.{}.attn_output", "transformer.h.{}.attn.out_proj"},
    TensorRule{"blk.{}.ffn_up", "transformer.h.{}.mlp.fc_in"},
    TensorRule{"blk.{}.ffn_down", "transformer.h.{}.mlp.fc_out"},
};

class GptJ final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gptj"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gptj");
    return build.decoder(
        [&](int32_t i) -> Layer {
          const Norm norm = build.layer_norm(layer_name(i, "attn_norm"), build.spec.n_embd);
          return {{{norm, build.attention(i, RopeKind::adjacent), {}, false},
                   {norm, build.mlp(i, false, Activation::gelu_tanh), {}, true}}};
        },
        build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override { return {{"GPTJForCausalLM", "gptj", "gptj"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu_new", "gelu_pytorch_tanh"});
    t.decoder_keys();
    t.set_integer("rope.dimension_count", t.config().need_integer({"rotary_dim"}));
    if (!t.config().find("n_inner")) {
      t.set_integer("feed_forward_length", 4 * t.config().need_integer({"n_embd"}));
    }
    t.ignore(".attn.bias");
    t.ignore(".attn.masked_bias");
    t.tensors(kRules);
  }

  void configure(const ModelSpec& spec, const ModelFile&, std::string_view,
                 HfFields& fields) const override {
    const Rope& rope = std::get<Attention>(spec.layers[0].blocks[0].op).rope;
    if (rope.base != Rope().base || rope.position_scale != 1.0f) {
      throw Error(Code::unimplemented, "the class has no other positions than the usual ones");
    }
    fields.said["rotary_dim"] = rope.n_dims;
  }
};

const Registered<Family> registered{std::make_unique<GptJ>()};

}  // namespace
}  // namespace strata::models
