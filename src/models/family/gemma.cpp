// Gemma 1, 2, 3 (text): gated GELU, embeddings times sqrt(n_embd). 2: norms behind each block, too,
// soft caps on scores and logits, a window in every other layer. 3: norms on Q and K for the soft
// caps, windows with their own RoPE base in five of six layers. The "1 +" of its norm weights is
// already in the file's. EmbeddingGemma is a Gemma 3 that looks both ways and makes vectors.
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kBlockNorms{
    TensorRule{"output_norm", "model.norm", Change::one_plus},
    TensorRule{"blk.{}.attn_norm", "model.layers.{}.input_layernorm", Change::one_plus},
    TensorRule{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", Change::one_plus},
    TensorRule{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", Change::one_plus},
};
// The same name means another place where there are norms behind the blocks.
constexpr std::array kNormBetween{
    TensorRule{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm", Change::one_plus}};
constexpr std::array kNormsBehind{
    TensorRule{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm",
               Change::one_plus},
    TensorRule{"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm", Change::one_plus},
    TensorRule{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm",
               Change::one_plus},
};

constexpr float kWindowRopeBase = 10000.0f;  // Gemma 3's with a window; not in older files

struct Generation {
  std::string_view architecture;
  bool post_norms = false;
  bool head_norms = false;     // and another RoPE with a window
  bool both_ways = false;      // no text is generated
  int32_t period = 0;          // its last layer has no window
  int32_t layers_of_27b = -1;  // which divides scores by another width, that files don't name
  // Of Gemma 2's first files, which don't name them.
  int32_t window = 0;
  float score_cap = 0.0f, logit_cap = 0.0f;
};
constexpr std::array kGenerations{Generation{.architecture = "gemma"},
                                  Generation{.architecture = "gemma2",
                                             .post_norms = true,
                                             .period = 2,
                                             .layers_of_27b = 46,
                                             .window = 4096,
                                             .score_cap = 50.0f,
                                             .logit_cap = 30.0f},
                                  Generation{.architecture = "gemma3",
                                             .post_norms = true,
                                             .head_norms = true,
                                             .period = 6,
                                             .layers_of_27b = 62},
                                  Generation{.architecture = "gemma-embedding",
                                             .post_norms = true,
                                             .head_norms = true,
                                             .both_ways = true,
                                             .period = 6}};

const Generation& own_of(std::string_view architecture) {
  return *std::ranges::find(kGenerations, architecture, &Generation::architecture);
}

// transformers' Gemma3TextConfig: published configurations of models that see, too, leave most of
// it out.
json::object defaults_of_third() {
  return {{"vocab_size", 262208},
          {"hidden_size", 2304},
          {"intermediate_size", 9216},
          {"num_hidden_layers", 26},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 4},
          {"head_dim", 256},
          {"max_position_embeddings", 131072},
          {"rms_norm_eps", 1e-6},
          {"query_pre_attn_scalar", 256},
          {"sliding_window", 4096},
          {"rope_theta", 1000000.0},
          {"rope_local_base_freq", 10000.0}};
}

// Gemma2Config's that change answers and no shape.
json::object defaults_of_second() {
  return {{"attn_logit_softcapping", 50.0},
          {"final_logit_softcapping", 30.0},
          {"query_pre_attn_scalar", 256},
          {"sliding_window", 4096}};
}

class Gemma final : public Family {
 public:
  std::vector<std::string_view> architectures() const override {
    return {"gemma", "gemma2", "gemma3", "gemma-embedding"};
  }

  ModelSpec describe(const ModelFile& file) const override {
    const std::string name(*file.text("general.architecture"));
    const Generation& own = own_of(name);
    SpecBuilder build(file, name);
    build.spec.embedding_scale = std::sqrt(static_cast<float>(build.spec.n_embd));
    if (own.both_ways) return encoder(build, own);
    build.spec.logit_soft_cap = build.number_or("final_logit_softcapping", own.logit_cap);
    return build.decoder(
        [&](int32_t i) -> Layer { return {{attention(build, own, i), mlp(build, own, i)}}; });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"GemmaForCausalLM", "gemma", "gemma"},
            {"Gemma2ForCausalLM", "gemma2", "gemma2"},
            {"Gemma3ForCausalLM", "gemma3", "gemma3_text"},
            {"Gemma3ForConditionalGeneration", "gemma3"},
            {"Gemma2Model", "gemma2"},
            {"Gemma3TextModel", "gemma-embedding", "gemma3_text"}};
  }

  void translate(Translation& t) const override {
    // Gemma 1's first configurations say gelu and mean the tanh form.
    if (own_of(t.architecture()).post_norms) {
      t.expect_activation({"gelu_pytorch_tanh"});
    } else {
      t.expect_activation({"gelu_pytorch_tanh", "gelu"});
    }
    if (own_of(t.architecture()).head_norms) t.set_defaults(defaults_of_third());
    if (t.architecture() == "gemma2") t.set_defaults(defaults_of_second());
    t.decoder_keys();
    if (!own_of(t.architecture()).both_ways) t.headless_if_model_alone();
    t.set_integer("attention.sliding_window", 0);
    t.windows();
    for (const char* field : {"final_logit_softcapping", "attn_logit_softcapping"}) {
      t.set_number(field, 0.0);
      t.copy_number(field, {field});
    }
    t.copy_scale("query_pre_attn_scalar");
    const bool is_encoder = t.architecture() == "gemma-embedding";
    looks_both_ways(t, is_encoder);
    if (is_encoder) t.drop_prefix("model.");
    t.tensors(kBlockNorms);
    t.tensors(own_of(t.architecture()).post_norms ? std::span<const TensorRule>(kNormsBehind)
                                                  : kNormBetween);
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec&, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    const Generation& own = own_of(*file.text("general.architecture"));
    fields.rope_of_each_type = own.head_norms;
    if (own.both_ways) fields.said["use_bidirectional_attention"] = true;
  }

 private:
  static void looks_both_ways(const Translation& t, bool wanted) {
    const bool is = t.config().flag("use_bidirectional_attention").value_or(false);
    if (is == wanted) return;
    throw Error(Code::unimplemented,
                fmt::format("config.json: 'use_bidirectional_attention' is {}, which is not "
                            "supported yet for {}",
                            is, t.config().architecture()));
  }

  static ModelSpec encoder(SpecBuilder& build, const Generation& own) {
    build.looks_both_ways();
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      build.spec.layers.push_back({{attention(build, own, i), mlp(build, own, i)}});
    }
    build.spec.final_norm = build.rms_norm("output_norm", build.spec.n_embd);
    return std::move(build.spec);
  }

  static Block attention(SpecBuilder& build, const Generation& own, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::halves);
    op.scale = build.attention_scale(
        build.n_layers() == own.layers_of_27b ? build.spec.n_embd / op.n_heads : op.head_dim);
    op.soft_cap = build.number_or("attn_logit_softcapping", own.score_cap);
    if (own.period > 0) op.window = build.window(layer, own.period, own.window);
    if (own.head_norms) {
      if (op.window > 0) {
        op.rope.base = build.number_or("rope.freq_base_swa", kWindowRopeBase);
        op.rope.position_scale = 1.0f;
        op.rope.yarn = {};
      }
      build.norms_of_q_and_k(op, layer, HeadNorms::shared);
    }
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op,
            post_norm(build, own, layer, "post_attention_norm"), false};
  }

  static Block mlp(SpecBuilder& build, const Generation& own, int32_t layer) {
    return {build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd),
            build.mlp(layer, true, Activation::gelu_tanh),
            post_norm(build, own, layer, "post_ffw_norm"), false};
  }

  static Norm post_norm(SpecBuilder& build, const Generation& own, int32_t layer,
                        std::string_view name) {
    if (!own.post_norms) return {};
    return build.rms_norm(layer_name(layer, name), build.spec.n_embd);
  }
};

const Registered<Family> registered{std::make_unique<Gemma>()};

}  // namespace
}  // namespace strata::models
