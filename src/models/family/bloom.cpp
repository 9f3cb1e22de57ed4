// Bloom: no positions but ALiBi, a layer norm behind the embedding, layer norms with biases, plain
// GELU MLP, fused QKV that folders store head by head.
#include <array>

#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "word_embeddings"},
    TensorRule{"token_embd_norm", "word_embeddings_layernorm"},
    TensorRule{"output_norm", "ln_f"},
    TensorRule{"blk.{}.attn_norm", "h.{}.input_layernorm"},
    TensorRule{"blk.{}.attn_qkv", "h.{}.self_attention.query_key_value", Change::grouped_qkv},
    TensorRule{"blk.{}.attn_output", "h.{}.self_attention.dense"},
    TensorRule{"blk.{}.ffn_norm", "h.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.ffn_up", "h.{}.mlp.dense_h_to_4h"},
    TensorRule{"blk.{}.ffn_down", "h.{}.mlp.dense_4h_to_h"},
};
constexpr std::array kHead{TensorRule{"output", "lm_head"}};

constexpr std::string_view kAlibiKey = "attention.max_alibi_bias";
constexpr std::array<std::string_view, 1> kKeys{kAlibiKey};
constexpr float kAlibi = 8.0f;      // files don't name it
constexpr int64_t kContext = 2048;  // of configurations that don't name it

class Bloom final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"bloom"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "bloom", kKeys);
    const auto norm = [&](const std::string& name) {
      return build.layer_norm(name, build.spec.n_embd);
    };
    build.spec.embedding_norm = norm("token_embd_norm");
    return build.decoder(
        [&](int32_t i) -> Layer {
          Attention op = build.attention(i, RopeKind::none);
          op.distance_bias.alibi = build.number_or(kAlibiKey, kAlibi);
          return {{{norm(layer_name(i, "attn_norm")), op, {}, false},
                   {norm(layer_name(i, "ffn_norm")),
                    build.mlp(i, false, Activation::gelu_tanh),
                    {},
                    false}}};
        },
        norm("output_norm"));
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"BloomForCausalLM", "bloom", "bloom"}};
  }

  void translate(Translation& t) const override {
    t.set_integer("context_length", t.config().integer("seq_length").value_or(kContext));
    t.decoder_keys();
    t.set_integer("feed_forward_length", 4 * t.config().need_integer({"hidden_size", "n_embed"}));
    t.tensors(kHead);
    t.set_usual_prefix("transformer.", "word_embeddings.weight");
    t.tensors(kRules);
  }
};

const Registered<Family> registered{std::make_unique<Bloom>()};

}  // namespace
}  // namespace strata::models
