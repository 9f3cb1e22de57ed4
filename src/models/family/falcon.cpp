// Falcon 7B, 11B, 40B, 180B: layer norms with biases, attention and plain GELU MLP side by side, in
// 40B and 180B behind norms of their own, few heads of keys, RoPE on halves. Falcon RW (1B, 7B):
// one after the other, biases, as many heads of keys, ALiBi instead of positions.
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
    TensorRule{"blk.{}.attn_qkv", "transformer.h.{}.self_attention.query_key_value",
               Change::grouped_qkv},
    TensorRule{"blk.{}.attn_output", "transformer.h.{}.self_attention.dense"},
    TensorRule{"blk.{}.ffn_norm", "transformer.h.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.ffn_up", "transformer.h.{}.mlp.dense_h_to_4h"},
    TensorRule{"blk.{}.ffn_down", "transformer.h.{}.mlp.dense_4h_to_h"},
};

constexpr std::string_view kAlibiKey = "attention.max_alibi_bias";
constexpr std::array<std::string_view, 1> kKeys{kAlibiKey};

constexpr std::array kOneNorm{
    TensorRule{"blk.{}.attn_norm", "transformer.h.{}.input_layernorm"},
};
constexpr std::array kTwoNorms{
    TensorRule{"blk.{}.attn_norm", "transformer.h.{}.ln_mlp"},
    TensorRule{"blk.{}.attn_norm_2", "transformer.h.{}.ln_attn"},
};

class Falcon final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"falcon"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "falcon", kKeys);
    return build.decoder([&](int32_t i) { return layer(build, i); },
                         build.layer_norm("output_norm", build.spec.n_embd));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"FalconForCausalLM", "falcon", "falcon"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu"});
    const HfConfig& config = t.config();
    const bool grouped = config.flag("new_decoder_architecture").value_or(false);
    t.set_integer("context_length", kContext);
    t.decoder_keys();
    const int64_t n_heads = config.need_integer({"num_attention_heads", "n_head"});
    const bool one = !grouped && config.flag("multi_query").value_or(true);
    t.set_kv_heads(one ? 1 : config.integer({"num_kv_heads", "n_head_kv"}).value_or(n_heads));
    const auto width = config.integer("ffn_hidden_size");
    t.set_integer("feed_forward_length", width ? *width : 4 * config.need_integer({"hidden_size"}));
    if (config.flag("alibi").value_or(false)) t.set_number(kAlibiKey, kAlibi);
    if (!grouped) t.said_by_tensor("parallel_attn", "blk.0.ffn_norm.weight", false);
    const int64_t n_norms = config.integer("num_ln_in_parallel_attn").value_or(grouped ? 2 : 1);
    t.tensors(n_norms == 2 ? std::span<const TensorRule>(kTwoNorms) : kOneNorm);
    t.tensors(kRules);
  }

  // Layers with a norm for both and several heads of keys that are fewer than those of queries, or
  // with two norms, are the newer ones.
  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    const Layer& first = spec.layers[0];
    const auto& attention = std::get<Attention>(first.blocks[0].op);
    const bool two_norms = file.find_tensor("blk.0.attn_norm_2.weight") != nullptr;
    const bool one = attention.n_kv_heads == 1;
    const bool all = attention.n_kv_heads == attention.n_heads;
    fields.said["activation"] = "gelu";
    fields.said["bias"] = file.find_tensor("blk.0.attn_qkv.bias") != nullptr;
    fields.said["new_decoder_architecture"] = two_norms || (!one && !all);
    fields.said["num_ln_in_parallel_attn"] = two_norms ? 2 : 1;
    fields.said["parallel_attn"] = first.blocks[1].parallel_to_previous;
    fields.said["alibi"] = attention.distance_bias.alibi > 0;
    fields.said["multi_query"] = one;
    fields.said["num_kv_heads"] = attention.n_kv_heads;
    fields.said["ffn_hidden_size"] = std::get<Mlp>(first.blocks[1].op).n_hidden;
    fields.unknown = {"head_dim"};
  }

 private:
  static Layer layer(SpecBuilder& build, int32_t i) {
    const auto norm_of = [&](const char* part) {
      return build.layer_norm(layer_name(i, part), build.spec.n_embd);
    };
    const auto has = [&](const char* part) { return build.has(layer_name(i, part) + ".weight"); };
    const float alibi = build.number_or(kAlibiKey, 0.0f);
    Attention op = build.attention(i, alibi > 0 ? RopeKind::none : RopeKind::halves);
    if (alibi > 0) {  // added before scores are scaled
      op.distance_bias.alibi = alibi;
      op.distance_bias.slope_scale = op.scale;
    }
    const Norm norm = norm_of("attn_norm");
    const bool parallel = !has("ffn_norm");
    return {{{has("attn_norm_2") ? norm_of("attn_norm_2") : norm, op, {}, false},
             {parallel ? norm : norm_of("ffn_norm"),
              build.mlp(i, false, Activation::gelu_erf),
              {},
              parallel}}};
  }

  static constexpr float kAlibi = 8.0f;
  static constexpr int64_t kContext = 2048;  // of configurations that don't name it
};

const Registered<Family> registered{std::make_unique<Falcon>()};

}  // namespace
}  // namespace strata::models
