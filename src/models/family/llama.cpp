// Llama 2 and 3, SmolLM 1 and 2, Mistral, Ministral: RMS norm, gated SiLU, RoPE on adjacent pairs.
// Mixtral: the same with experts.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kMixtral{
    TensorRule{"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"},
    TensorRule{"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w1"},
    TensorRule{"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w3"},
    TensorRule{"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{e}.w2"},
};

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

  std::vector<HfClass> hf_classes() const override {
    return {{kPlain, "llama", "llama"},
            {"LLaMAForCausalLM", "llama"},  // as the first conversions spelt it
            {kPlainModel, "llama"},
            {kOneWindow, "llama", "mistral"},
            {kOneWindowModel, "llama"},
            {kMixedWindows, "llama", "ministral"},
            {kWithExperts, "llama", "mixtral"}};
  }

  void translate(Translation& t) const override {
    const std::string& name = t.config().architecture();
    t.expect_activation({"silu"});
    // The class has a window where none is named, be it as null.
    if (name == kOneWindow || name == kOneWindowModel) t.set_defaults({{"sliding_window", 4096}});
    if (name == kWithExperts) t.set_defaults({{"rope_theta", 1000000.0}});
    t.decoder_keys();
    t.headless_if_model_alone();
    if (name == kPlain || name == kPlainModel) {  // of these transformers reads no window
      t.no_windows();
    } else if (name == kMixedWindows) {
      t.windows();
    } else {
      t.same_windows();
    }
    if (name == kWithExperts) {
      t.expert_keys(true);
      t.tensors(kMixtral);
    }
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }

 private:
  static constexpr std::string_view kPlain = "LlamaForCausalLM";
  static constexpr std::string_view kPlainModel = "LlamaModel";
  static constexpr std::string_view kOneWindow = "MistralForCausalLM";
  static constexpr std::string_view kOneWindowModel = "MistralModel";
  static constexpr std::string_view kMixedWindows = "MinistralForCausalLM";
  static constexpr std::string_view kWithExperts = "MixtralForCausalLM";

  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::adjacent);
    op.window = build.window(layer, 0);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<Llama>()};

}  // namespace
}  // namespace strata::models
