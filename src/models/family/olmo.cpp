// OLMo 1: as Llama with layer norms that have no weights; of OLMo 1.7 Q, K and V are clipped.
#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array<std::string_view, 1> kKeys{"attention.clamp_kqv"};
constexpr double kEpsilon = 1e-5;  // configurations don't name it

class Olmo final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"olmo"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "olmo", kKeys);
    const float clip = build.number_or(kKeys[0], 0.0f);
    if (clip < 0) {
      throw Error(Code::invalid_argument, fmt::format("{} is {}", build.key(kKeys[0]), clip));
    }
    const Norm norm = build.plain_layer_norm();
    return build.decoder(
        [&](int32_t i) -> Layer {
          Attention op = build.attention(i, RopeKind::adjacent);
          op.clip = clip;
          return {{{norm, op, {}, false}, {norm, build.mlp(i, true, Activation::silu), {}, false}}};
        },
        norm);
  }

  std::vector<HfClass> hf_classes() const override { return {{"OlmoForCausalLM", "olmo", "olmo"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.set_number("attention.layer_norm_epsilon", kEpsilon);
    t.copy_number("attention.clamp_kqv", {"clip_qkv"});
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }
};

const Registered<Family> registered{std::make_unique<Olmo>()};

}  // namespace
}  // namespace strata::models
