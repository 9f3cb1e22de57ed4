// BERT and what shares its shape: MiniLM, BGE, E5, RoBERTa and XLM-R (whose files begin the table
// of positions at the first one used). Learned positions and token types, a layer norm behind every
// sum, plain MLPs with the exact GELU, attention that looks both ways.
#include "models/family/family.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

class Bert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    spec.position_embedding = build.matrix("position_embd.weight", spec.n_context, spec.n_embd);
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      Block attention;
      attention.op = build.attention(i, RopeKind::none);
      attention.sum_norm = build.layer_norm(layer_name(i, "attn_output_norm"), spec.n_embd);
      Block mlp;
      mlp.op = build.mlp(i, false, Activation::gelu_erf);
      mlp.sum_norm = build.layer_norm(layer_name(i, "layer_output_norm"), spec.n_embd);
      spec.layers.push_back({{attention, mlp}});
    }
    build.score_head(Activation::tanh);
    return std::move(spec);
  }
};

const Registered<Family> registered{std::make_unique<Bert>()};

}  // namespace
}  // namespace strata::models
