// ModernBERT: norms before the blocks, RoPE on halves, gated GELU, and a window to both sides, with
// a RoPE base of its own, on all layers but the first of each three.
#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"

namespace strata::models {
namespace {

constexpr int32_t kPattern = 3;  // layers 1, 4, 7, … have no window

Activation activation_of(const SpecBuilder& build) {
  const auto name = build.file().text(build.key("hidden_activation")).value_or("gelu");
  if (name == "gelu") return Activation::gelu_erf;
  if (name == "silu") return Activation::silu;
  throw Error(Code::unimplemented, fmt::format("{} is '{}', which is not supported yet",
                                               build.key("hidden_activation"), name));
}

class ModernBert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"modern-bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "modern-bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    const Activation activation = activation_of(build);
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      Block mlp;
      mlp.pre_norm = build.layer_norm(layer_name(i, "ffn_norm"), spec.n_embd);
      mlp.op = build.fused_mlp(i, activation);
      spec.layers.push_back({{attention(build, i), mlp}});
    }
    spec.final_norm = build.layer_norm("output_norm", spec.n_embd);
    build.score_head(Activation::gelu_erf);
    return std::move(spec);
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    const int32_t window = build.count_or("attention.sliding_window", 0, 0, kMaxContext);
    const int32_t period =
        build.count_or("attention.sliding_window_pattern", kPattern, 1, kMaxLayers);
    if (window > 0 && layer % period != 0) {
      op.window = window;
      op.rope.base = build.number_or("rope.freq_base_swa", op.rope.base);
    }
    Block block;
    block.op = op;
    // The embedding is normed already.
    if (layer > 0 || build.has("blk.0.attn_norm.weight")) {
      block.pre_norm = build.layer_norm(layer_name(layer, "attn_norm"), build.spec.n_embd);
    }
    return block;
  }
};

const Registered<Family> registered{std::make_unique<ModernBert>()};

}  // namespace
}  // namespace strata::models
