// ModernBERT: norms before the blocks, RoPE on halves, gated GELU, and a window to both sides, with
// a RoPE base of its own, on all layers but the first of each three.
#include <array>

#include "core/error.h"
#include "models/family/encoder_fields.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "embeddings.tok_embeddings"},
    TensorRule{"token_embd_norm", "embeddings.norm"},
    TensorRule{"blk.{}.attn_norm", "layers.{}.attn_norm"},
    TensorRule{"blk.{}.attn_qkv", "layers.{}.attn.Wqkv"},
    TensorRule{"blk.{}.attn_output", "layers.{}.attn.Wo"},
    TensorRule{"blk.{}.ffn_norm", "layers.{}.mlp_norm"},
    TensorRule{"blk.{}.ffn_up", "layers.{}.mlp.Wi"},
    TensorRule{"blk.{}.ffn_down", "layers.{}.mlp.Wo"},
    TensorRule{"output_norm", "final_norm"},
};
constexpr std::array kScores{TensorRule{"cls", "head.dense"}, TensorRule{"cls.norm", "head.norm"},
                             TensorRule{"cls.output", "classifier"}};
// Of pre-training.
constexpr MaskHeadNames kMasks{
    .dense = "head.dense", .norm = "head.norm", .decoder = "decoder", .bias = "decoder.bias"};

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
    build.mask_head(Activation::gelu_erf);
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"ModernBertModel", "modern-bert", "modernbert"},
            {"ModernBertForMaskedLM", "modern-bert"},
            {"ModernBertForSequenceClassification", "modern-bert", "modernbert"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu", "silu"});
    t.decoder_keys();
    t.copy_number("attention.layer_norm_epsilon", {"norm_eps"});  // not layer_norm_eps beside it
    t.set_flag("attention.causal", false);
    if (const auto name = t.config().text("hidden_activation")) {
      t.set_text("modern-bert.hidden_activation", *name);
    }
    rope_bases(t);
    windows(t);
    if (t.has_scores({"classifier.weight"})) {
      scores(t);
    } else {
      masks(t);
    }
    t.set_prefix_under_head("model.", "embeddings.tok_embeddings.weight");
    t.tensors(kRules);
  }

  // Layers' kinds and bases as older and as newer programs look for them.
  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    encoder_fields(spec, fields);
    const Block& first = spec.layers[0].blocks[0];
    if (first.pre_norm.kind != NormKind::none) {
      refuse_class("the class has no norm before its first layer");
    }
    const auto has_bias = [&](std::string_view name) {
      return file.find_tensor(fmt::format("{}.bias", name)) != nullptr;
    };
    json::object& said = fields.said;
    said["hidden_activation"] = file.text("modern-bert.hidden_activation").value_or("gelu");
    said["attention_bias"] = has_bias("blk.0.attn_output");
    said["mlp_bias"] = has_bias("blk.0.ffn_down");
    said["norm_bias"] = has_bias("output_norm");
    layer_fields(spec, said);
    fields.rope_of_each_type = true;
    if (!spec.scores) return;
    if (spec.scores->dense.weight == kNoTensor || spec.scores->norm.kind == NormKind::none) {
      refuse_class("the class has a dense layer and a norm before its scores");
    }
    said["classifier_bias"] = has_bias("cls");
    said["classifier_pooling"] = spec.pooling == Pooling::mean ? "mean" : "cls";
    said["classifier_activation"] = "gelu";
  }

 private:
  static void layer_fields(const ModelSpec& spec, json::object& said) {
    const auto attention_of = [&](size_t layer) -> const Attention& {
      return std::get<Attention>(spec.layers[layer].blocks[0].op);
    };
    json::array kinds;
    const Attention* windowed = nullptr;
    size_t period = 0;
    for (size_t i = 0; i < spec.layers.size(); ++i) {
      const bool is_windowed = attention_of(i).window > 0;
      kinds.emplace_back(is_windowed ? "sliding_attention" : "full_attention");
      if (is_windowed) windowed = &attention_of(i);
      if (!is_windowed && i > 0 && period == 0) period = i;
    }
    said["layer_types"] = kinds;
    said["global_attn_every_n_layers"] = period > 0 ? period : spec.layers.size();
    said["global_rope_theta"] = shortest(attention_of(0).rope.base);
    if (windowed == nullptr) return;
    said["local_attention"] = windowed->window;
    said["local_rope_theta"] = shortest(windowed->rope.base);
  }

  // Older configurations name them so.
  static void rope_bases(Translation& t) {
    if (t.config().find("rope_parameters") != nullptr) return;
    const double global = t.config().number("global_rope_theta").value_or(160000.0);
    const json::value* local = t.folder().config().if_contains("local_rope_theta");
    const bool same = local != nullptr && local->is_null();
    t.set_number("rope.freq_base", global);
    t.set_number("rope.freq_base_swa",
                 same ? global : t.config().number("local_rope_theta").value_or(10000.0));
  }

  // Newer ones name each layer's kind: full attention in the first of each period.
  static void windows(Translation& t) {
    t.config().find("sliding_window");  // half of local_attention, where it is written
    t.set_integer("attention.sliding_window", t.config().integer("local_attention").value_or(128));
    const auto kinds = t.config().texts("layer_types");
    if (kinds.empty()) {
      t.set_integer("attention.sliding_window_pattern",
                    t.config().integer("global_attn_every_n_layers").value_or(kPattern));
      return;
    }
    const auto full = [&](size_t i) { return kinds[i] == "full_attention"; };
    size_t period = 1;
    while (period < kinds.size() && !full(period)) ++period;
    bool fits = kinds.size() == static_cast<size_t>(t.n_layers());
    for (size_t i = 0; i < kinds.size(); ++i) {
      fits = fits && full(i) == (i % period == 0) && (full(i) || kinds[i] == "sliding_attention");
    }
    if (!fits) {
      throw Error(Code::unimplemented,
                  "config.json: 'layer_types' has no full attention at regular places from the "
                  "first layer on, which is not supported yet");
    }
    t.set_integer("attention.sliding_window_pattern", static_cast<int64_t>(period));
  }

  static std::string activation_of_heads(const Translation& t) {
    return t.config().text("classifier_activation").value_or("gelu");
  }

  static void masks(Translation& t) {
    // Vectors need no head, whatever is in it.
    if (activation_of_heads(t) != "gelu") {
      t.leave_out_mask_head("its 'classifier_activation' is not supported yet");
    }
    t.mask_head(kMasks);
  }

  static void scores(Translation& t) {
    const std::string pooling = t.config().text("classifier_pooling").value_or("cls");
    const std::string activation = activation_of_heads(t);
    if ((pooling != "cls" && pooling != "mean") || activation != "gelu") {
      throw Error(Code::unimplemented,
                  fmt::format("config.json: 'classifier_pooling' is '{}' and "
                              "'classifier_activation' '{}', which is not supported yet",
                              printable(pooling), printable(activation)));
    }
    t.score_keys(pooling == "mean");
    t.tensors(kScores);
  }

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
