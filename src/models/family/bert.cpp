// BERT and what shares its shape: MiniLM, BGE, E5, RoBERTa and XLM-R (whose files begin the table
// of positions at the first one used). Learned positions and token types, a layer norm behind every
// sum, plain MLPs with the exact GELU, attention that looks both ways.
#include <array>

#include "core/error.h"
#include "models/family/encoder_fields.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "embeddings.word_embeddings"},
    TensorRule{"position_embd", "embeddings.position_embeddings"},
    TensorRule{"token_types", "embeddings.token_type_embeddings"},
    TensorRule{"token_embd_norm", "embeddings.LayerNorm"},
    TensorRule{"blk.{}.attn_q", "encoder.layer.{}.attention.self.query"},
    TensorRule{"blk.{}.attn_k", "encoder.layer.{}.attention.self.key"},
    TensorRule{"blk.{}.attn_v", "encoder.layer.{}.attention.self.value"},
    TensorRule{"blk.{}.attn_output", "encoder.layer.{}.attention.output.dense"},
    TensorRule{"blk.{}.attn_output_norm", "encoder.layer.{}.attention.output.LayerNorm"},
    TensorRule{"blk.{}.ffn_up", "encoder.layer.{}.intermediate.dense"},
    TensorRule{"blk.{}.ffn_down", "encoder.layer.{}.output.dense"},
    TensorRule{"blk.{}.layer_output_norm", "encoder.layer.{}.output.LayerNorm"},
};
// Of models that score: a dense layer with tanh, and the scores.
constexpr std::array kScores{TensorRule{"cls", "bert.pooler.dense"},
                             TensorRule{"cls.output", "classifier"}};
constexpr std::array kScoresOfRoberta{TensorRule{"cls", "classifier.dense"},
                                      TensorRule{"cls.output", "classifier.out_proj"}};
// Heads of pre-training: the one that fills in masks, and others, of which nothing here needs any.
constexpr MaskHeadNames kMasks{.dense = "cls.predictions.transform.dense",
                               .norm = "cls.predictions.transform.LayerNorm",
                               .decoder = "cls.predictions.decoder",
                               .bias = "cls.predictions.bias"};
constexpr MaskHeadNames kMasksOfRoberta{.dense = "lm_head.dense",
                                        .norm = "lm_head.layer_norm",
                                        .decoder = "lm_head.decoder",
                                        .bias = "lm_head.bias"};
constexpr std::array kOtherHeads{"pooler.dense.weight", "pooler.dense.bias",
                                 "cls.seq_relationship.weight", "cls.seq_relationship.bias"};

class Bert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    spec.position_embedding = build.matrix("position_embd.weight", spec.n_context, spec.n_embd);
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      spec.layers.push_back(build.normed_sums(i, build.attention(i, RopeKind::none),
                                              build.mlp(i, false, Activation::gelu_erf)));
    }
    build.score_head(Activation::tanh);
    build.mask_head(Activation::gelu_erf);
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"BertModel", "bert", "bert"},
            {"BertForMaskedLM", "bert"},
            {"BertForPreTraining", "bert"},
            {"BertForSequenceClassification", "bert", "bert"},
            {"CamembertModel", "bert", "camembert"},
            {"CamembertForMaskedLM", "bert"},
            {"CamembertForSequenceClassification", "bert"},
            {"RobertaModel", "bert", kRoberta},
            {"RobertaForMaskedLM", "bert"},
            {"RobertaForSequenceClassification", "bert", kRoberta},
            {"XLMRobertaModel", "bert", kXlmRoberta},
            {"XLMRobertaForMaskedLM", "bert"},
            {"XLMRobertaForSequenceClassification", "bert", kXlmRoberta}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu"});
    if (t.config().text("position_embedding_type").value_or("absolute") != "absolute") {
      throw Error(Code::unimplemented, "config.json: 'position_embedding_type' is not 'absolute'");
    }
    t.decoder_keys();
    t.set_flag("attention.causal", false);
    t.ignore("embeddings.position_ids");
    const bool is_roberta = !t.config().architecture().starts_with("Bert");
    if (t.has_scores({"classifier.weight", "classifier.out_proj.weight"})) {
      t.score_keys();
      t.tensors(is_roberta ? kScoresOfRoberta : kScores);
    } else {
      t.mask_head(is_roberta ? kMasksOfRoberta : kMasks);
      for (const char* head : kOtherHeads) t.ignore(head);
    }
    t.set_prefix_under_head(is_roberta ? "roberta." : "bert.", "embeddings.word_embeddings.weight");
    if (is_roberta) {
      t.positions_behind_padding("position_embd.weight", "embeddings.position_embeddings.weight");
    }
    t.tensors(kRules);
  }

  // The vocabularies that they were published with; what they compute is the same.
  std::string_view likely_model_type(const ModelFile& file) const override {
    if (file.text("tokenizer.ggml.model").value_or("bert") == "bert") return "bert";
    return file.find("tokenizer.ggml.merges") != nullptr ? kRoberta : kXlmRoberta;
  }

  void configure(const ModelSpec& spec, const ModelFile&, std::string_view hf_class,
                 HfFields& fields) const override {
    encoder_fields(spec, fields);
    if (spec.n_types == 0)
      refuse_class("the class has types of tokens, of which the file has none");
    if (spec.scores && spec.scores->dense.weight == kNoTensor) {
      refuse_class("the class has a dense layer before its scores, which the file has not");
    }
    json::object& said = fields.said;
    if (!hf_class.starts_with("Bert")) said.emplace("pad_token_id", kUsualPadding);
    said["position_embedding_type"] = "absolute";
  }

 private:
  static constexpr std::string_view kRoberta = "roberta";
  static constexpr std::string_view kXlmRoberta = "xlm-roberta";
};

const Registered<Family> registered{std::make_unique<Bert>()};

}  // namespace
}  // namespace strata::models
