// Qwen 3, dense and with experts: as Llama, with norms on the heads of Q and K and RoPE on halves.
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

class Qwen3 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"qwen3", "qwen3moe"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(*file.text("general.architecture")), kExpertKeys);
    // Files don't say from which layer on a window would apply.
    build.refuse_unless("attention.sliding_window", 0);
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), build.feed_forward(i, kExperts, Activation::silu)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Qwen3ForCausalLM", "qwen3", "qwen3"},
            {"Qwen3MoeForCausalLM", "qwen3moe", "qwen3_moe"},
            {"Qwen3Model", "qwen3"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.headless_if_model_alone();
    t.no_windows();
    t.set_defaults({{"norm_topk_prob", false}});  // which is refused
    t.expert_keys(true);
    t.tensors(decoder_rules());
    t.tensors(expert_rules());
  }

 private:
  static constexpr ExpertRules kExperts{.renormalized = true, .width_of_dense = true};

  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    build.norms_of_q_and_k(op, layer, HeadNorms::shared);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<Qwen3>()};

}  // namespace
}  // namespace strata::models
