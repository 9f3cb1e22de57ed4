// Gemma 3n (text): Gemma 3's attention and gated GELU with norms before and after, but several
// streams a row, of which the first goes through the blocks, residuals of low rank beside
// attention, side inputs of each layer, values that are normed, the last layers' attention on the
// keys of those before them, widths of each layer's own, and gates of which only the greatest
// count.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr float kWindowRopeBase = 10000.0f;
constexpr float kLogitCap = 30.0f;
constexpr int32_t kPeriod = 5;  // its last layer has no window
// Of files that don't say from where on layers share keys.
constexpr int32_t kOwnKeys = 20;

constexpr std::array kRules{
    TensorRule{"per_layer_token_embd", "model.embed_tokens_per_layer"},
    TensorRule{"per_layer_model_proj", "model.per_layer_model_projection"},
    TensorRule{"per_layer_proj_norm", "model.per_layer_projection_norm"},
    TensorRule{"altup_proj.weight", "model.altup_projections.{e}.weight"},
    TensorRule{"altup_unembd_proj.weight", "model.altup_unembed_projections.{e}.weight"},
    TensorRule{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"},
    TensorRule{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
    TensorRule{"blk.{}.inp_gate", "model.layers.{}.per_layer_input_gate"},
    TensorRule{"blk.{}.proj", "model.layers.{}.per_layer_projection"},
    TensorRule{"blk.{}.post_norm", "model.layers.{}.post_per_layer_input_norm"},
    TensorRule{"blk.{}.altup_correct_coef", "model.layers.{}.altup.correction_coefs"},
    TensorRule{"blk.{}.altup_correct_scale.weight", "model.layers.{}.altup.correct_output_scale"},
    TensorRule{"blk.{}.altup_predict_coef", "model.layers.{}.altup.prediction_coefs"},
    TensorRule{"blk.{}.altup_router", "model.layers.{}.altup.modality_router"},
    TensorRule{"blk.{}.altup_router_norm", "model.layers.{}.altup.router_norm"},
    TensorRule{"blk.{}.laurel_l", "model.layers.{}.laurel.linear_left"},
    TensorRule{"blk.{}.laurel_r", "model.layers.{}.laurel.linear_right"},
    TensorRule{"blk.{}.laurel_post_norm", "model.layers.{}.laurel.post_laurel_norm"},
};

// transformers' Gemma3nTextConfig: a text_config leaves out what is as there.
json::object defaults_of_class() {
  return {{"vocab_size", 262400},
          {"hidden_size", 2048},
          {"intermediate_size", 16384},
          {"num_hidden_layers", 35},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 2},
          {"head_dim", 256},
          {"max_position_embeddings", 32768},
          {"rms_norm_eps", 1e-6},
          {"sliding_window", 512},
          {"rope_theta", 1000000.0},
          {"rope_local_base_freq", kWindowRopeBase},
          {"final_logit_softcapping", kLogitCap},
          {"altup_num_inputs", 4},
          {"hidden_size_per_layer_input", 256},
          {"num_kv_shared_layers", 15}};
}

// Where the standard normal distribution has so much below it, by halving.
double normal_quantile(double share) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
  }
  return low;
}

// The share of which normal_quantile gives `deviations`, with few digits where some serve.
double share_below(float deviations) {
  const double share = std::erfc(-double{deviations} / std::sqrt(2.0)) / 2;
  const double few = std::round(share * 1e4) / 1e4;
  return static_cast<float>(normal_quantile(few)) == deviations ? few : share;
}

class Gemma3n final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gemma3n"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gemma3n");
    build.spec.embedding_scale = std::sqrt(static_cast<float>(build.spec.n_embd));
    build.spec.logit_soft_cap = build.number_or("final_logit_softcapping", kLogitCap);
    build.refuse_unless("altup.active_idx", 0);
    streams(build);
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), low_rank(build, i), mlp(build, i)}, mix(build, i)};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Gemma3nForCausalLM", "gemma3n", "gemma3n_text"},
            {"Gemma3nForConditionalGeneration", "gemma3n"}};
  }

  void translate(Translation& t) const override {
    const HfConfig& config = t.config();
    t.expect_activation({"gelu_pytorch_tanh"});
    t.set_defaults(defaults_of_class());
    if (!config.flag("altup_correct_scale").value_or(true)) {
      throw Error(Code::unimplemented,
                  "config.json: 'altup_correct_scale' is false, which is not supported yet");
    }
    t.decoder_keys();
    t.set_integers("feed_forward_length", widths(t));
    t.windows();
    t.set_number("final_logit_softcapping", config.number("final_logit_softcapping").value_or(0.0));
    t.set_integer("altup.active_idx", config.integer("altup_active_idx").value_or(0));
    t.set_integer("altup.num_inputs", config.need_integer({"altup_num_inputs"}));
    t.set_integer("embedding_length_per_layer_input",
                  config.need_integer({"hidden_size_per_layer_input"}));
    t.set_integer("attention.shared_kv_layers", config.need_integer({"num_kv_shared_layers"}));
    sparsity(t);
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    json::array widths, shares;
    int32_t n_shared = 0;
    for (const Layer& layer : spec.layers) {
      if (std::get<Attention>(layer.blocks[0].op).kv_of >= 0) ++n_shared;
      const auto& mlp = std::get<Mlp>(layer.blocks[2].op);
      widths.emplace_back(mlp.n_hidden);
      shares.emplace_back(mlp.sparsity == 0.0f ? 0.0 : share_below(mlp.sparsity));
    }
    const TensorInfo* narrow = file.find_tensor("blk.0.laurel_l.weight");
    json::object& said = fields.said;
    said["intermediate_size"] = widths;
    said["activation_sparsity_pattern"] = shares;
    said["num_kv_shared_layers"] = n_shared;
    said["laurel_rank"] = static_cast<int64_t>(narrow->rows());
    said["altup_num_inputs"] = spec.streams->n;
    said["altup_active_idx"] = 0;
    said["hidden_size_per_layer_input"] = spec.streams->n_side;
    said["vocab_size_per_layer_input"] = spec.streams->n_table;
    said["final_logit_softcapping"] = nullptr;
    if (spec.logit_soft_cap > 0) said["final_logit_softcapping"] = shortest(spec.logit_soft_cap);
  }

 private:
  static std::vector<int32_t> widths(const Translation& t) {
    const json::value* value = t.config().find("intermediate_size");
    if (value != nullptr && value->is_array()) return t.each_layer("intermediate_size", kMaxHidden);
    return std::vector(static_cast<size_t>(t.n_layers()), t.width("intermediate_size", kMaxHidden));
  }

  // Of each layer the share of gates that count as 0; where none are named, those of the class.
  static std::vector<double> shares(const Translation& t) {
    if (t.config().find("activation_sparsity_pattern") != nullptr) {
      return t.numbers_of_layers("activation_sparsity_pattern");
    }
    std::vector<double> shares(static_cast<size_t>(t.n_layers()), 0.0);
    if (t.n_layers() > kSparseLayers) std::fill_n(shares.begin(), kSparseLayers, 0.95);
    return shares;
  }

  // As standard deviations; below all that is possible: none.
  static void sparsity(Translation& t) {
    std::vector<float> deviations;
    for (const double share : shares(t)) {
      if (!(share >= 0 && share < 1)) {
        throw Error(Code::invalid_argument,
                    fmt::format("config.json: 'activation_sparsity_pattern' holds {}", share));
      }
      deviations.push_back(share == 0 ? kNone : static_cast<float>(normal_quantile(share)));
    }
    t.set_numbers("activation_sparsity_scale", deviations);
  }

  static constexpr float kNone = -40.0f;
  static constexpr int32_t kSparseLayers = 10;

  static void streams(SpecBuilder& build) {
    ModelSpec& spec = build.spec;
    Streams s;
    s.n = build.count("altup.num_inputs", 2, kMaxStreams);
    s.open = build.stack("altup_proj.weight", s.n - 1, spec.n_embd, spec.n_embd);
    s.close = build.stack("altup_unembd_proj.weight", s.n - 1, spec.n_embd, spec.n_embd);
    s.n_side = build.count("embedding_length_per_layer_input", 1, kMaxEmbedding);
    const int64_t n_sides = int64_t{s.n_side} * build.n_layers();
    const TensorInfo* table = build.file().find_tensor("per_layer_token_embd.weight");
    if (table == nullptr || table->rows() < 1 || table->rows() > kMaxVocabulary) {
      refuse("tensor 'per_layer_token_embd.weight' is missing, or has no row for each token");
    }
    s.n_table = static_cast<int32_t>(table->rows());
    s.table = build.matrix("per_layer_token_embd.weight", s.n_table, n_sides);
    s.table_scale = std::sqrt(static_cast<float>(s.n_side));
    s.side = build.linear("per_layer_model_proj", n_sides, spec.n_embd);
    s.norm = build.rms_norm("per_layer_proj_norm", s.n_side);
    spec.streams = s;
  }

  // The number of the last layer with a window, or without, before layers share keys.
  static int32_t last_like(const SpecBuilder& build, int32_t layer, int32_t n_own) {
    const bool windowed = build.window(layer, kPeriod) > 0;
    for (int32_t i = n_own - 1; i >= 0; --i) {
      if ((build.window(i, kPeriod) > 0) == windowed) return i;
    }
    refuse(fmt::format("layer {} shares the keys of one of the first {}, none is like it", layer,
                       n_own));
  }

  static Block attention(SpecBuilder& build, int32_t layer) {
    const int32_t n_shared =
        build.count_or("attention.shared_kv_layers", std::max(0, build.n_layers() - kOwnKeys), 0,
                       build.n_layers() - 1);
    const int32_t n_own = build.n_layers() - n_shared;
    const bool own_keys = layer < n_own;
    Attention op = build.attention(layer, RopeKind::halves, own_keys);
    op.q_norm = build.rms_norm(layer_name(layer, "attn_q_norm"), op.head_dim);
    if (const auto name = layer_name(layer, "attn_k_norm");
        own_keys || build.has(name + ".weight")) {
      op.k_norm = build.rms_norm(name, op.head_dim);
    }
    op.v_norm = build.plain_rms_norm();
    op.scale = build.number_or("attention.scale", 1.0f);
    op.window = build.window(layer, kPeriod);
    if (op.window > 0) {
      op.rope.base = build.number_or("rope.freq_base_swa", kWindowRopeBase);
      op.rope.position_scale = 1.0f;
      op.rope.yarn = {};
    }
    // Files have matrices of keys in layers that make none.
    if (!own_keys) {
      op.kv_of = last_like(build, layer, n_own);
      op.k = op.v = {};
      op.k_norm = op.v_norm = {};
    }
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op,
            build.rms_norm(layer_name(layer, "post_attention_norm"), build.spec.n_embd), false};
  }

  // Of what attention reads; with it and the stream it is a sum of two parts.
  static Block low_rank(SpecBuilder& build, int32_t layer) {
    const ModelSpec& spec = build.spec;
    const std::string left = layer_name(layer, "laurel_l");
    const TensorInfo* narrow = build.file().find_tensor(left + ".weight");
    if (narrow == nullptr || narrow->rows() < 1 || narrow->rows() > kMaxEmbedding) {
      refuse(fmt::format("tensor '{}.weight' is missing or too wide", left));
    }
    LowRank op;
    op.rank = static_cast<int32_t>(narrow->rows());
    op.left = build.linear(left, op.rank, spec.n_embd);
    op.right = build.linear(layer_name(layer, "laurel_r"), spec.n_embd, op.rank);
    op.norm = build.rms_norm(layer_name(layer, "laurel_post_norm"), spec.n_embd);
    Block block{build.rms_norm(layer_name(layer, "attn_norm"), spec.n_embd), op, {}, true};
    block.sum_scale = std::sqrt(0.5f);
    return block;
  }

  static Block mlp(SpecBuilder& build, int32_t layer) {
    Mlp op = build.mlp(layer, true, Activation::gelu_tanh);
    const auto deviations = build.file().numbers(build.key("activation_sparsity_scale"));
    if (deviations) {
      if (deviations->size() != static_cast<size_t>(build.n_layers())) {
        refuse(fmt::format("{} has {} entries for {} layers",
                           build.key("activation_sparsity_scale"), deviations->size(),
                           build.n_layers()));
      }
      const float own = (*deviations)[static_cast<size_t>(layer)];
      if (own > kNone) op.sparsity = own;
    }
    return {build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd), op,
            build.rms_norm(layer_name(layer, "post_ffw_norm"), build.spec.n_embd), false};
  }

  static StreamMix mix(SpecBuilder& build, int32_t layer) {
    const int64_t n = build.spec.streams->n;
    const int64_t n_embd = build.spec.n_embd;
    const int64_t n_side = build.spec.streams->n_side;
    const auto name = [&](std::string_view part) { return layer_name(layer, part); };
    StreamMix mix;
    mix.router_norm = build.rms_norm(name("altup_router_norm"), n_embd);
    mix.router = build.linear(name("altup_router"), n, n_embd);
    mix.predict = build.matrix(name("altup_predict_coef.weight"), n * n, n);
    mix.correct = build.matrix(name("altup_correct_coef.weight"), n, n);
    mix.scale = build.vector(name("altup_correct_scale.weight"), n_embd);
    mix.gate = build.linear(name("inp_gate"), n_side, n_embd);
    mix.project = build.linear(name("proj"), n_embd, n_side);
    mix.norm = build.rms_norm(name("post_norm"), n_embd);
    return mix;
  }
};

const Registered<Family> registered{std::make_unique<Gemma3n>()};

}  // namespace
}  // namespace strata::models
