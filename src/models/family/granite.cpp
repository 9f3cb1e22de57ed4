// Granite, dense and with experts: as Llama, with factors on embeddings, attention, what each block
// adds, and logits.
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

constexpr std::array<std::string_view, 5> kKeys{"expert_count", "expert_used_count",
                                                "expert_weights_scale", "embedding_scale",
                                                "residual_scale"};

class Granite final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"granite", "granitemoe"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(*file.text("general.architecture")), kKeys);
    // Here the key says whether there are rotary positions at all.
    build.refuse_unless("rope.scaling.finetuned", 1);
    build.spec.embedding_scale = factor(build, "embedding_scale");
    build.spec.logit_scale = inverse(build, "logit_scale");
    const float residual_scale = factor(build, "residual_scale");
    const ExpertRules rules{
        .renormalized = true,
        .shared = build.count_or("expert_shared_feed_forward_length", 0, 0, kMaxHidden) > 0};
    return build.decoder([&](int32_t i) {
      Layer layer{{attention(build, i), build.feed_forward(i, rules, Activation::silu)}};
      for (Block& block : layer.blocks) block.scale = residual_scale;
      return layer;
    });
  }

 private:
  // 0 stands for a key that is not set.
  static float factor(const SpecBuilder& build, std::string_view suffix) {
    const float value = build.number_or(suffix, 1.0f);
    return value == 0.0f ? 1.0f : value;
  }

  static float inverse(const SpecBuilder& build, std::string_view suffix) {
    const float value = build.number(suffix);
    if (value > 0 && std::isfinite(1.0f / value)) return 1.0f / value;
    throw Error(Code::invalid_argument, fmt::format("{} is {}", build.key(suffix), value));
  }

  static Block attention(SpecBuilder& build, int32_t layer) {
    const Attention op = build.attention(layer, RopeKind::adjacent);
    Block block;
    block.pre_norm = build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd);
    block.op = op;
    return block;
  }
};

const Registered<Family> registered{std::make_unique<Granite>()};

}  // namespace
}  // namespace strata::models
