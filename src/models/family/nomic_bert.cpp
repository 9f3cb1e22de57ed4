// Nomic Embed 1 and 1.5: BERT's norms behind every sum, but RoPE on halves instead of learned
// positions, and gated MLPs.
#include "models/family/family.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

class NomicBert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"nomic-bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "nomic-bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      Block attention;
      attention.op = build.attention(i, RopeKind::halves);
      attention.sum_norm = build.layer_norm(layer_name(i, "attn_output_norm"), spec.n_embd);
      Block mlp;
      mlp.op = build.mlp(i, true, Activation::silu);
      mlp.sum_norm = build.layer_norm(layer_name(i, "layer_output_norm"), spec.n_embd);
      spec.layers.push_back({{attention, mlp}});
    }
    return std::move(spec);
  }
};

const Registered<Family> registered{std::make_unique<NomicBert>()};

}  // namespace
}  // namespace strata::models
