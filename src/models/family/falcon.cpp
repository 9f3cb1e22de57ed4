// Falcon 7B, 11B, 40B, 180B: layer norms with biases, attention and plain GELU MLP side by side, in
// 40B and 180B behind norms of their own, few heads of keys, RoPE on halves.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "transformer.word_embeddings"},
    TensorRule{"output", "lm_head"},
    TensorRule{"output_norm", "transformer.ln_f"},
    TensorRule{"blk.{}.attn_norm", "transformer.h.{}.input_layernorm"},
    TensorRule{"blk.{}.attn_norm", "transformer.h.{}.ln_mlp"},
    TensorRule{"blk.{}.attn_norm_2", "transformer.h.{}.ln_attn"},
    TensorRule{"blk.{}.attn_qkv", "transformer.h.{}.self_attention.query_key_value",
               Change::grouped_qkv},
    TensorRule{"blk.{}.attn_output", "transformer.h.{}.self_attention.dense"},
    TensorRule{"blk.{}.ffn_up", "transformer.h.{}.mlp.dense_h_to_4h"},
    TensorRule{"blk.{}.ffn_down", "transformer.h.{}.mlp.dense_4h_to_h"},
};

class Falcon final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"falcon"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "falcon");
    return build.decoder(
        [&](int32_t i) -> Layer {
          const Norm norm = build.layer_norm(layer_name(i, "attn_norm"), build.spec.n_embd);
          const std::string own = layer_name(i, "attn_norm_2");
          return {{{build.has(own + ".weight") ? build.layer_norm(own, build.spec.n_embd) : norm,
                    build.attention(i, RopeKind::halves),
                    {},
                    false},
                   {norm, build.mlp(i, false, Activation::gelu_erf), {}, true}}};
        },
        build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override { return {{"FalconForCausalLM", "falcon"}}; }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu"});
    const HfConfig& config = t.config();
    const bool grouped = config.flag("new_decoder_architecture").value_or(false);
    if (!grouped && !config.flag("parallel_attn").value_or(true)) {
      throw Error(Code::unimplemented,
                  fmt::format("config.json: 'parallel_attn' is false, which is not supported yet "
                              "for {}",
                              config.architecture()));
    }
    t.set_integer("context_length", kContext);
    t.decoder_keys();
    const int64_t n_heads = config.need_integer({"num_attention_heads", "n_head"});
    const bool one = !grouped && config.flag("multi_query").value_or(true);
    t.set_kv_heads(one ? 1 : config.integer({"num_kv_heads", "n_head_kv"}).value_or(n_heads));
    const auto width = config.integer("ffn_hidden_size");
    t.set_integer("feed_forward_length", width ? *width : 4 * config.need_integer({"hidden_size"}));
    t.tensors(kRules);
  }

 private:
  static constexpr int64_t kContext = 2048;  // of configurations that don't name it
};

const Registered<Family> registered{std::make_unique<Falcon>()};

}  // namespace
}  // namespace strata::models
