// OpenELM: as Llama, with heads, heads of keys and widths that grow from layer to layer, one fused
// QKV matrix, norms on the heads of Q and K, RoPE on halves.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "transformer.token_embeddings"},
    TensorRule{"output", "lm_head"},
    TensorRule{"output_norm", "transformer.norm"},
    TensorRule{"blk.{}.attn_norm", "transformer.layers.{}.attn_norm"},
    TensorRule{"blk.{}.attn_qkv", "transformer.layers.{}.attn.qkv_proj"},
    TensorRule{"blk.{}.attn_q_norm", "transformer.layers.{}.attn.q_norm"},
    TensorRule{"blk.{}.attn_k_norm", "transformer.layers.{}.attn.k_norm"},
    TensorRule{"blk.{}.attn_output", "transformer.layers.{}.attn.out_proj"},
    TensorRule{"blk.{}.ffn_norm", "transformer.layers.{}.ffn_norm"},
    TensorRule{"blk.{}.ffn_gate", "transformer.layers.{}.ffn.proj_1", Change::first_half},
    TensorRule{"blk.{}.ffn_up", "transformer.layers.{}.ffn.proj_1", Change::second_half},
    TensorRule{"blk.{}.ffn_down", "transformer.layers.{}.ffn.proj_2"},
};

constexpr double kEpsilon = 1e-6;  // of its norms; no field says it

class OpenElm final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"openelm"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "openelm");
    return build.decoder(
        [&](int32_t i) -> Layer { return {{attention(build, i), feed_forward(build, i)}}; });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"OpenELMForCausalLM", "openelm", "openelm"}};
  }

  void translate(Translation& t) const override {
    expect(t, "activation_fn_name", "swish");
    expect(t, "normalization_layer_name", "rms_norm");
    for (const char* field : {"ffn_with_glu", "normalize_qk_projections"}) {
      if (t.config().flag(field).value_or(true)) continue;
      throw Error(Code::unimplemented,
                  fmt::format("config.json: '{}' is false, which is not supported yet", field));
    }
    t.layer_count("num_transformer_layers");
    t.set_integer("embedding_length", t.width("model_dim", kMaxEmbedding));
    t.set_integer("context_length", t.width("max_context_length", kMaxContext));
    const int32_t head_dim = t.width("head_dim", kMaxHeadDim);
    t.set_integer("attention.key_length", head_dim);
    t.set_integer("attention.value_length", head_dim);
    t.set_integer("rope.dimension_count", head_dim);
    t.copy_number("rope.freq_base", {"rope_freq_constant"});
    t.copy_integer("vocab_size", {"vocab_size"});
    t.set_number("attention.layer_norm_rms_epsilon", kEpsilon);
    t.set_integers("attention.head_count", t.each_layer("num_query_heads", kMaxHeads));
    t.set_integers("attention.head_count_kv", t.each_layer("num_kv_heads", kMaxHeads));
    t.set_integers("feed_forward_length", widths(t));
    t.tensors(kRules);
  }

  void configure(const ModelSpec& spec, const ModelFile&, std::string_view,
                 HfFields& fields) const override {
    json::array heads, kv_heads, multipliers;
    int32_t divisor = 0;
    for (const Layer& layer : spec.layers) {
      const auto& attention = std::get<Attention>(layer.blocks[0].op);
      const int32_t width = std::get<Mlp>(layer.blocks[1].op).n_hidden;
      heads.emplace_back(attention.n_heads);
      kv_heads.emplace_back(attention.n_kv_heads);
      multipliers.emplace_back(static_cast<double>(width) / spec.n_embd);
      divisor = std::gcd(divisor, width);
    }
    const auto& first = std::get<Attention>(spec.layers[0].blocks[0].op);
    json::object& said = fields.said;
    said["model_dim"] = spec.n_embd;
    said["num_transformer_layers"] = static_cast<int64_t>(spec.layers.size());
    said["max_context_length"] = spec.n_context;
    said["head_dim"] = first.head_dim;
    said["rope_freq_constant"] = shortest(first.rope.base);
    said["num_query_heads"] = heads;
    said["num_kv_heads"] = kv_heads;
    said["num_gqa_groups"] = first.n_heads / first.n_kv_heads;
    said["ffn_multipliers"] = multipliers;
    said["ffn_dim_divisor"] = divisor;
    said["activation_fn_name"] = "swish";
    said["normalization_layer_name"] = "rms_norm";
    said["ffn_with_glu"] = said["normalize_qk_projections"] = true;
    said["share_input_output_layers"] = spec.head.weight == spec.token_embedding;
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    build.norms_of_q_and_k(op, layer, HeadNorms::shared);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }

  static Block feed_forward(SpecBuilder& build, int32_t layer) {
    return {build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd),
            build.mlp(layer, true, Activation::silu),
            {},
            false};
  }

  static void expect(const Translation& t, std::string_view field, std::string_view known) {
    const std::string value = t.config().text(field).value_or(std::string(known));
    if (value == known) return;
    throw Error(Code::unimplemented,
                fmt::format("config.json: '{}' is '{}', which is not supported yet", field,
                            printable(value)));
  }

  // Of each layer a multiple of the model's, rounded to one of the divisor, up where rounding would
  // take off more than a tenth.
  static std::vector<int32_t> widths(const Translation& t) {
    const double n_embd = t.width("model_dim", kMaxEmbedding);
    const int64_t divisor = t.width("ffn_dim_divisor", kMaxHidden);
    std::vector<int32_t> widths;
    for (const double multiplier : t.numbers_of_layers("ffn_multipliers")) {
      const double wanted = multiplier * n_embd;
      if (!(wanted >= 1) || wanted > kMaxHidden) {
        throw Error(Code::invalid_argument,
                    fmt::format("config.json: 'ffn_multipliers' holds {}", multiplier));
      }
      const double half = static_cast<double>(divisor) / 2;
      int64_t width = static_cast<int64_t>(wanted + half) / divisor * divisor;
      width = std::max(width, divisor);
      if (static_cast<double>(width) < 0.9 * wanted) width += divisor;
      widths.push_back(static_cast<int32_t>(width));
    }
    return widths;
  }
};

const Registered<Family> registered{std::make_unique<OpenElm>()};

}  // namespace
}  // namespace strata::models
