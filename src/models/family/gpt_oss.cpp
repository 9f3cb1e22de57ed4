// gpt-oss: attention with a sink a head and biases, windows on every other layer, YaRN; experts
// with biases, whose gates and ups are limited. Folders store experts [in x out], with the columns
// of gate and up in turn.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"blk.{}.attn_sinks.weight", "model.layers.{}.self_attn.sinks"},
    TensorRule{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.router"},
    TensorRule{"blk.{}.ffn_gate_exps.weight", "model.layers.{}.mlp.experts.gate_up_proj",
               Change::transposed_even},
    TensorRule{"blk.{}.ffn_up_exps.weight", "model.layers.{}.mlp.experts.gate_up_proj",
               Change::transposed_odd},
    TensorRule{"blk.{}.ffn_down_exps.weight", "model.layers.{}.mlp.experts.down_proj",
               Change::transposed},
    TensorRule{"blk.{}.ffn_gate_exps.bias", "model.layers.{}.mlp.experts.gate_up_proj_bias",
               Change::even_columns},
    TensorRule{"blk.{}.ffn_up_exps.bias", "model.layers.{}.mlp.experts.gate_up_proj_bias",
               Change::odd_columns},
    TensorRule{"blk.{}.ffn_down_exps.bias", "model.layers.{}.mlp.experts.down_proj_bias"},
};

constexpr int32_t kPeriod = 2;  // its last layer has no window
// GGUF files of other programs name none of these: the limit, and that YaRN's bounds are not
// rounded.
constexpr std::string_view kLimitKey = "swiglu_clamp_exp";
constexpr float kLimit = 7.0f;
constexpr bool kWholePairs = false;

class GptOss final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gpt-oss"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gpt-oss", kExpertKeys);
    return build.decoder(
        [&](int32_t i) -> Layer { return {{attention(build, i), experts(build, i)}}; });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"GptOssForCausalLM", "gpt-oss", "gpt_oss"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.set_defaults({{"rope_theta", 150000.0},
                    {"rope_scaling",
                     {{"rope_type", "yarn"},
                      {"factor", 32.0},
                      {"beta_fast", 32.0},
                      {"beta_slow", 1.0},
                      {"truncate", false},
                      {"original_max_position_embeddings", 4096}}}});  // of the class
    t.decoder_keys();
    t.windows();
    t.expert_keys(true);
    t.copy_integer("expert_feed_forward_length", {"intermediate_size"});
    t.copy_number(kLimitKey, {"swiglu_limit"});
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    op.window = build.window(layer, kPeriod);
    op.sinks = build.vector(layer_name(layer, "attn_sinks.weight"), op.n_heads);
    op.rope.yarn.whole_pairs = build.file().boolean(build.key(kYarnTruncate)).value_or(kWholePairs);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }

  static Block experts(SpecBuilder& build, int32_t layer) {
    Moe moe = build.moe(layer, {.renormalized = true}, Activation::gelu_sigmoid);
    for (Mlp& expert : moe.experts) {
      expert.limit = build.number_or(kLimitKey, kLimit);
      expert.up_offset = 1.0f;
    }
    return {build.rms_norm(layer_name(layer, "post_attention_norm"), build.spec.n_embd),
            moe,
            {},
            false};
  }
};

const Registered<Family> registered{std::make_unique<GptOss>()};

}  // namespace
}  // namespace strata::models
