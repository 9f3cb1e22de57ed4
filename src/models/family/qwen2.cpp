// Qwen 2 and 2.5, and the R1 distillations of them: as Llama, with biases on Q, K, V and RoPE on
// halves. Qwen 1.5 and 2 with experts: their weights are shares of all, and one more expert, with a
// gate of its own, sees every token.
#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

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
