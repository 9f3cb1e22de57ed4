// Command R, Aya, Command R7B: layer norms without biases, attention and MLP side by side behind
// the same norm, RoPE on adjacent pairs, a factor on logits; norms with weights of each head's own
// on Q and K in the largest. R7B: windows on three of four layers, and positions on these only.
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr int32_t kPeriod = 4;  // of cohere2: layers 4, 8, 12, … have no window

class Cohere final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"command-r", "cohere2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    const std::string name(*file.text("general.architecture"));
    SpecBuilder build(file, name);
    build.spec.logit_scale = build.number_or("logit_scale", 1.0f);
    return build.decoder(
        [&](int32_t i) -> Layer {
          const Norm norm = build.layer_norm(layer_name(i, "attn_norm"), build.spec.n_embd);
          return {{{norm, attention(build, i, name == "cohere2"), {}, false},
                   {norm, build.mlp(i, true, Activation::silu), {}, true}}};
        },
        build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"CohereForCausalLM", "command-r", "cohere"},
            {"Cohere2ForCausalLM", "cohere2", "cohere2"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    // transformers' classes have these where a configuration names none.
    t.set_defaults(t.architecture() == "cohere2"
                       ? json::object{{"logit_scale", 0.0625}, {"sliding_window", 4096}}
                       : json::object{{"logit_scale", 0.0625}, {"rope_theta", 500000.0}});
    t.decoder_keys();
    t.windows();
    t.copy_number("logit_scale", {"logit_scale"});
    t.said_by_tensor("use_qk_norm", "blk.0.attn_q_norm.weight");
    t.tensors(decoder_rules());
  }

 private:
  static Attention attention(SpecBuilder& build, int32_t layer, bool windows) {
    Attention op = build.attention(layer, RopeKind::adjacent);
    if (build.has(layer_name(layer, "attn_q_norm.weight"))) {
      build.norms_of_q_and_k(op, layer, HeadNorms::own, NormKind::layer);
    }
    if (!windows) return op;
    op.window = build.window(layer, kPeriod);
    if (op.window == 0) op.rope = {};
    return op;
  }
};

const Registered<Family> registered{std::make_unique<Cohere>()};

}  // namespace
}  // namespace strata::models
