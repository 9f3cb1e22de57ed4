// OLMoE: experts whose weights are their shares of all, norms over all heads of Q and K together,
// RoPE on halves.
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

class Olmoe final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"olmoe"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "olmoe", kExpertKeys);
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), build.feed_forward(i, {}, Activation::silu)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"OlmoeForCausalLM", "olmoe", "olmoe"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.expert_keys(false);
    t.tensors(decoder_rules());
    t.tensors(expert_rules());
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    build.norms_of_q_and_k(op, layer, HeadNorms::joined);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<Olmoe>()};

}  // namespace
}  // namespace strata::models
