// Arcee's AFM: as Llama with a plain MLP of squared ReLU.
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

class Arcee final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"arcee"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "arcee");
    return build.decoder([&](int32_t i) -> Layer {
      const int32_t width = build.spec.n_embd;
      return {{{build.rms_norm(layer_name(i, "attn_norm"), width),
                build.attention(i, RopeKind::adjacent),
                {},
                false},
               {build.rms_norm(layer_name(i, "ffn_norm"), width),
                build.mlp(i, false, Activation::relu_squared),
                {},
                false}}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"ArceeForCausalLM", "arcee", "arcee"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"relu2"});
    t.decoder_keys();
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Arcee>()};

}  // namespace
}  // namespace strata::models
