// Qwen 2 and 2.5, and the R1 distillations of them: as Llama, with biases on Q, K, V and RoPE on
// halves. Qwen 1.5 and 2 with experts: their weights are shares of all, and one more expert, with a
// gate of its own, sees every token.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kShared{
    TensorRule{"blk.{}.ffn_gate_inp_shexp", "model.layers.{}.mlp.shared_expert_gate"},
    TensorRule{"blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_expert.gate_proj"},
    TensorRule{"blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_expert.up_proj"},
    TensorRule{"blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_expert.down_proj"},
};

class Qwen2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"qwen2", "qwen2moe"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(*file.text("general.architecture")), kExpertKeys);
    // The published models that name a window apply it from some layer on only, which files
    // don't say.
    build.refuse_unless("attention.sliding_window", 0);
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), build.feed_forward(i, kExperts, Activation::silu)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Qwen2ForCausalLM", "qwen2", "qwen2"},
            {"Qwen2MoeForCausalLM", "qwen2moe", "qwen2_moe"},
            {"Qwen2Model", "qwen2"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.headless_if_model_alone();
    t.no_windows();
    t.expert_keys(false);
    t.copy_integer("expert_shared_feed_forward_length", {"shared_expert_intermediate_size"});
    t.tensors(decoder_rules());
    t.tensors(expert_rules());
    t.tensors(kShared);
  }

 private:
  static constexpr ExpertRules kExperts{
      .renormalized = false, .shared = true, .shared_gate = true, .width_of_dense = true};

  static Block attention(SpecBuilder& build, int32_t layer) {
    const Attention op = build.attention(layer, RopeKind::halves);
    if (op.q.bias == kNoTensor || op.k.bias == kNoTensor || op.v.bias == kNoTensor) {
      throw Error(Code::invalid_argument,
                  fmt::format("layer {} lacks a bias of attn_q, attn_k or attn_v", layer));
    }
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<Qwen2>()};

}  // namespace
}  // namespace strata::models
