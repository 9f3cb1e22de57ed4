// Llama 2 and 3, SmolLM 1 and 2, Mistral: RMS norm, gated SiLU, RoPE on adjacent pairs. Mixtral:
// the same with experts.
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

class Llama final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"llama"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "llama", kExpertKeys);
    build.spec.logit_scale = build.number_or("logit_scale", 1.0f);
    return build.decoder([&](int32_t i) -> Layer {
      return {
          {attention(build, i), build.feed_forward(i, {.renormalized = true}, Activation::silu)}};
    });
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::adjacent);
    op.window = build.count_or("attention.sliding_window", 0, 0, kMaxContext);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<Llama>()};

}  // namespace
}  // namespace strata::models
