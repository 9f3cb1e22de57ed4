// T5, T5 1.1, Flan-T5 and mT5: an encoder reads the prompt both ways, a decoder writes the answer
// and sees the encoder's states. RMS norms before the blocks, scores that are not scaled, no
// positions but a bias by distance that the first layer of each stack has for all. The encoder
// alone
// (`t5encoder`) makes vectors.
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr int32_t kDefaultDistance = 128;  // of GGUF, which has no key for it
constexpr int32_t kMaxBuckets = 1 << 12;
constexpr const char* kDistanceKey = "attention.relative_max_distance";  // our own

constexpr std::array kEncoderRules{
    TensorRule{"token_embd", "shared"},
    TensorRule{"token_embd", "encoder.embed_tokens"},
    TensorRule{"token_embd", "decoder.embed_tokens"},
    TensorRule{"enc.output_norm", "encoder.final_layer_norm"},
    TensorRule{"enc.blk.{}.attn_norm", "encoder.block.{}.layer.0.layer_norm"},
    TensorRule{"enc.blk.{}.attn_q", "encoder.block.{}.layer.0.SelfAttention.q"},
    TensorRule{"enc.blk.{}.attn_k", "encoder.block.{}.layer.0.SelfAttention.k"},
    TensorRule{"enc.blk.{}.attn_v", "encoder.block.{}.layer.0.SelfAttention.v"},
    TensorRule{"enc.blk.{}.attn_o", "encoder.block.{}.layer.0.SelfAttention.o"},
    TensorRule{"enc.blk.{}.attn_rel_b",
               "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias"},
    TensorRule{"enc.blk.{}.ffn_norm", "encoder.block.{}.layer.1.layer_norm"},
    TensorRule{"enc.blk.{}.ffn_down", "encoder.block.{}.layer.1.DenseReluDense.wo"},
};
constexpr std::array kDecoderRules{
    TensorRule{"output", "lm_head"},
    TensorRule{"dec.output_norm", "decoder.final_layer_norm"},
    TensorRule{"dec.blk.{}.attn_norm", "decoder.block.{}.layer.0.layer_norm"},
    TensorRule{"dec.blk.{}.attn_q", "decoder.block.{}.layer.0.SelfAttention.q"},
    TensorRule{"dec.blk.{}.attn_k", "decoder.block.{}.layer.0.SelfAttention.k"},
    TensorRule{"dec.blk.{}.attn_v", "decoder.block.{}.layer.0.SelfAttention.v"},
    TensorRule{"dec.blk.{}.attn_o", "decoder.block.{}.layer.0.SelfAttention.o"},
    TensorRule{"dec.blk.{}.attn_rel_b",
               "decoder.block.{}.layer.0.SelfAttention.relative_attention_bias"},
    TensorRule{"dec.blk.{}.cross_attn_norm", "decoder.block.{}.layer.1.layer_norm"},
    TensorRule{"dec.blk.{}.cross_attn_q", "decoder.block.{}.layer.1.EncDecAttention.q"},
    TensorRule{"dec.blk.{}.cross_attn_k", "decoder.block.{}.layer.1.EncDecAttention.k"},
    TensorRule{"dec.blk.{}.cross_attn_v", "decoder.block.{}.layer.1.EncDecAttention.v"},
    TensorRule{"dec.blk.{}.cross_attn_o", "decoder.block.{}.layer.1.EncDecAttention.o"},
    TensorRule{"dec.blk.{}.ffn_norm", "decoder.block.{}.layer.2.layer_norm"},
    TensorRule{"dec.blk.{}.ffn_down", "decoder.block.{}.layer.2.DenseReluDense.wo"},
};

// Of both stacks: layers that one of them does not have have no tensors.
constexpr std::array kGatedRules{
    TensorRule{"enc.blk.{}.ffn_gate", "encoder.block.{}.layer.1.DenseReluDense.wi_0"},
    TensorRule{"enc.blk.{}.ffn_up", "encoder.block.{}.layer.1.DenseReluDense.wi_1"},
    TensorRule{"dec.blk.{}.ffn_gate", "decoder.block.{}.layer.2.DenseReluDense.wi_0"},
    TensorRule{"dec.blk.{}.ffn_up", "decoder.block.{}.layer.2.DenseReluDense.wi_1"},
};
constexpr std::array kPlainRules{
    TensorRule{"enc.blk.{}.ffn_up", "encoder.block.{}.layer.1.DenseReluDense.wi"},
    TensorRule{"dec.blk.{}.ffn_up", "decoder.block.{}.layer.2.DenseReluDense.wi"},
};

// The layers of the two stacks.
class Stacks {
 public:
  explicit Stacks(SpecBuilder& build)
      : build_(build),
        n_embd_(build.spec.n_embd),
        n_heads_(build.count("attention.head_count", 1, kMaxHeads)),
        head_dim_(build.count("attention.key_length", 1, kMaxHeadDim)),
        n_buckets_(build.count("attention.relative_buckets_count", 4, kMaxBuckets)),
        max_distance_(build.count_or(kDistanceKey, kDefaultDistance, 1, kMaxContext)) {
    build.refuse_unless("attention.value_length", head_dim_);
    build.refuse_unless("attention.head_count_kv", n_heads_);
    if (max_distance_ <= n_buckets_ / 2) {
      refuse(fmt::format("{} is {}, which {} buckets of distances reach singly",
                         build.key(kDistanceKey), max_distance_, n_buckets_));
    }
  }

  std::vector<Layer> encoder() const {
    std::vector<Layer> layers;
    for (int32_t i = 0; i < build_.n_layers(); ++i) {
      const std::string at = fmt::format("enc.blk.{}.", i);
      layers.push_back({{self_attention("enc", at, false), feed_forward(at)}});
    }
    return layers;
  }

  std::vector<Layer> decoder() const {
    const int32_t n = build_.count_or("decoder_block_count", build_.n_layers(), 1, kMaxLayers);
    std::vector<Layer> layers;
    for (int32_t i = 0; i < n; ++i) {
      const std::string at = fmt::format("dec.blk.{}.", i);
      layers.push_back({{self_attention("dec", at, true), cross_attention(at), feed_forward(at)}});
    }
    return layers;
  }

 private:
  Linear into_heads(const std::string& name) const {
    return build_.linear(name, int64_t{n_heads_} * head_dim_, n_embd_);
  }
  Linear out_of_heads(const std::string& name) const {
    return build_.linear(name, n_embd_, int64_t{n_heads_} * head_dim_);
  }

  // Its own, or the first layer's.
  DistanceBias bias(std::string_view stack, const std::string& at) const {
    std::string name = at + "attn_rel_b.weight";
    if (!build_.has(name)) name = fmt::format("{}.blk.0.attn_rel_b.weight", stack);
    return {build_.matrix(name, n_buckets_, n_heads_), n_buckets_, max_distance_};
  }

  Block self_attention(std::string_view stack, const std::string& at, bool causal) const {
    Attention op;
    op.n_heads = n_heads_;
    op.n_kv_heads = n_heads_;
    op.head_dim = head_dim_;
    op.q = into_heads(at + "attn_q");
    op.k = into_heads(at + "attn_k");
    op.v = into_heads(at + "attn_v");
    op.o = out_of_heads(at + "attn_o");
    op.scale = 1.0f;
    op.causal = causal;
    op.distance_bias = bias(stack, at);
    return {build_.rms_norm(at + "attn_norm", n_embd_), op, {}, false};
  }

  Block cross_attention(const std::string& at) const {
    CrossAttention op;
    op.n_heads = n_heads_;
    op.head_dim = head_dim_;
    op.q = into_heads(at + "cross_attn_q");
    op.k = into_heads(at + "cross_attn_k");
    op.v = into_heads(at + "cross_attn_v");
    op.o = out_of_heads(at + "cross_attn_o");
    op.scale = 1.0f;
    // The first models were published with a bias here, which has no use.
    const std::string unused = at + "cross_attn_rel_b.weight";
    if (build_.has(unused)) build_.matrix(unused, n_buckets_, n_heads_);
    return {build_.rms_norm(at + "cross_attn_norm", n_embd_), op, {}, false};
  }

  Block feed_forward(const std::string& at) const {
    Mlp op;
    op.n_hidden = build_.count("feed_forward_length", 1, kMaxHidden);
    const bool gated = build_.has(at + "ffn_gate.weight");
    op.activation = gated ? Activation::gelu_tanh : Activation::relu;
    if (gated) op.gate = build_.linear(at + "ffn_gate", op.n_hidden, n_embd_);
    op.up = build_.linear(at + "ffn_up", op.n_hidden, n_embd_);
    op.down = build_.linear(at + "ffn_down", n_embd_, op.n_hidden);
    return {build_.rms_norm(at + "ffn_norm", n_embd_), op, {}, false};
  }

  SpecBuilder& build_;
  int32_t n_embd_;
  int32_t n_heads_;
  int32_t head_dim_;
  int32_t n_buckets_;
  int32_t max_distance_;
};

class T5 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"t5", kEncoderAlone}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "t5");
    ModelSpec& spec = build.spec;
    const Stacks stacks(build);
    const Norm encoder_norm = build.rms_norm("enc.output_norm", spec.n_embd);
    if (file.text("general.architecture") == kEncoderAlone) {
      build.looks_both_ways();
      spec.layers = stacks.encoder();
      spec.final_norm = encoder_norm;
      return std::move(spec);
    }
    const int32_t first = build.count("decoder_start_token_id", 0, spec.n_vocab - 1);
    spec.encoder = Encoder{stacks.encoder(), encoder_norm, first};
    spec.layers = stacks.decoder();
    spec.final_norm = build.rms_norm("dec.output_norm", spec.n_embd);
    build.head();
    // The first models share the head with the embedding and scale what goes into it.
    const bool tied = spec.head.weight == spec.token_embedding;
    spec.logit_scale = build.number_or("logit_scale", tied ? shared_scale(spec.n_embd) : 1.0f);
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"T5ForConditionalGeneration", "t5", "t5"},
            {"T5WithLMHeadModel", "t5"},
            {kUnscaled, "t5", "mt5"},
            {"T5EncoderModel", kEncoderAlone, "t5"}};
  }

  void translate(Translation& t) const override {
    keys(t);
    const bool gated = t.config().text("feed_forward_proj").value_or("relu") != "relu";
    const std::span<const TensorRule> feed_forward(gated ? std::span<const TensorRule>(kGatedRules)
                                                         : kPlainRules);
    t.tensors(kEncoderRules);
    t.tensors(feed_forward);
    t.ignore("embed_tokens.weight");  // copies of the one that is shared
    if (t.architecture() == kEncoderAlone) return;
    const auto n_layers = t.config().integer("num_decoder_layers").value_or(t.n_layers());
    t.set_layers(n_layers, "num_decoder_layers");
    t.set_integer("decoder_block_count", n_layers);
    t.ignore("EncDecAttention.relative_attention_bias.weight");
    t.tensors(kDecoderRules);
    t.tensors(feed_forward);
    decoder_keys(t);
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view hf_class,
                 HfFields& fields) const override {
    const bool alone = spec.encoder == std::nullopt;
    const Layer& layer = alone ? spec.layers[0] : spec.encoder->layers[0];
    const auto& attention = std::get<Attention>(layer.blocks[0].op);
    const auto& mlp = std::get<Mlp>(layer.blocks[1].op);
    json::object& said = fields.said;
    said["d_kv"] = attention.head_dim;
    said["d_ff"] = mlp.n_hidden;
    said["feed_forward_proj"] = mlp.gate.weight != kNoTensor ? "gated-gelu" : "relu";
    said["n_positions"] = spec.n_context;
    said["layer_norm_epsilon"] = shortest(spec.final_norm.epsilon);
    said["relative_attention_num_buckets"] = attention.distance_bias.n_buckets;
    said["relative_attention_max_distance"] = attention.distance_bias.max_distance;
    said["is_encoder_decoder"] = !alone;
    if (alone) return;
    said["num_decoder_layers"] = static_cast<int64_t>(spec.layers.size());
    said["decoder_start_token_id"] = spec.encoder->first_token;
    said["pad_token_id"] = file.integer("tokenizer.ggml.padding_token_id").value_or(0);
    if (hf_class == kUnscaled) return;
    // transformers reads of the second, which it otherwise ignores, whether they are scaled.
    said["scale_decoder_outputs"] = said["tie_word_embeddings"] = spec.logit_scale != 1.0f;
  }

 private:
  static constexpr std::string_view kEncoderAlone = "t5encoder";
  static constexpr std::string_view kUnscaled = "MT5ForConditionalGeneration";
  static constexpr int64_t kDefaultContext = 512;  // of the lengths that all were trained with

  static void keys(Translation& t) {
    const HfConfig& config = t.config();
    t.decoder_keys();
    if (const auto kind = config.text("feed_forward_proj").value_or("relu");
        kind != "relu" && kind != "gated-gelu") {
      throw Error(Code::unimplemented,
                  fmt::format("config.json: 'feed_forward_proj' is '{}', which is not supported "
                              "yet for {}",
                              printable(kind), config.architecture()));
    }
    const int64_t head_dim = config.integer("d_kv").value_or(64);
    t.set_integer("attention.key_length", head_dim);
    t.set_integer("attention.value_length", head_dim);
    t.set_integer("feed_forward_length", config.need_integer({"d_ff"}));
    t.set_integer("context_length", config.integer("n_positions").value_or(kDefaultContext));
    t.set_number("attention.layer_norm_rms_epsilon",
                 config.number("layer_norm_epsilon").value_or(1e-6));
    t.set_integer("attention.relative_buckets_count",
                  config.integer("relative_attention_num_buckets").value_or(32));
    t.set_integer(kDistanceKey,
                  config.integer("relative_attention_max_distance").value_or(kDefaultDistance));
  }

  static void decoder_keys(Translation& t) {
    const HfConfig& config = t.config();
    const auto first = config.integer({"decoder_start_token_id", "pad_token_id"});
    if (!first) {
      throw Error(Code::invalid_argument,
                  "config.json: neither 'decoder_start_token_id' nor 'pad_token_id' says what a "
                  "text begins with");
    }
    t.set_integer("decoder_start_token_id", *first);
    const bool scaled = config.flag("scale_decoder_outputs")
                            .value_or(config.flag("tie_word_embeddings").value_or(true));
    const auto n_embd = static_cast<int32_t>(config.need_integer({"d_model"}));
    t.set_number("logit_scale",
                 scaled && config.architecture() != kUnscaled ? double{shared_scale(n_embd)} : 1.0);
  }

  static float shared_scale(int32_t n_embd) { return 1.0f / std::sqrt(static_cast<float>(n_embd)); }
};

const Registered<Family> registered{std::make_unique<T5>()};

}  // namespace
}  // namespace strata::models
