// BERT and what shares its shape: MiniLM, BGE, E5, RoBERTa and XLM-R (whose files begin the table
// of positions at the first one used). Learned positions and token types, a layer norm behind every
// sum, plain MLPs with the exact GELU, attention that looks both ways.
#include <array>

#include "core/error.h"
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

class Bert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    spec.position_embedding = build.matrix("position_embd.weight", spec.n_context, spec.n_embd);
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      Block attention;
      attention.op = build.attention(i, RopeKind::none);
      attention.sum_norm = build.layer_norm(layer_name(i, "attn_output_norm"), spec.n_embd);
      Block mlp;
      mlp.op = build.mlp(i, false, Activation::gelu_erf);
      mlp.sum_norm = build.layer_norm(layer_name(i, "layer_output_norm"), spec.n_embd);
      spec.layers.push_back({{attention, mlp}});
    }
    build.score_head(Activation::tanh);
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"BertModel", "bert"},
            {"BertForMaskedLM", "bert"},
            {"BertForSequenceClassification", "bert"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu"});
    if (t.config().text("position_embedding_type").value_or("absolute") != "absolute") {
      throw Error(Code::unimplemented, "config.json: 'position_embedding_type' is not 'absolute'");
    }
    t.decoder_keys();
    t.pooling();
    t.ignore("embeddings.position_ids");
    if (t.has("classifier.weight")) {
      t.set_integer("pooling_type", kRank);
      t.tensors(kScores);
    } else {  // the heads of pre-training, of which vectors need none
      for (const char* head :
           {"pooler.dense.weight", "pooler.dense.bias", "cls.predictions.bias",
            "cls.predictions.transform.dense.weight", "cls.predictions.transform.dense.bias",
            "cls.predictions.transform.LayerNorm.weight",
            "cls.predictions.transform.LayerNorm.bias", "cls.predictions.decoder.weight",
            "cls.predictions.decoder.bias"}) {
        t.ignore(head);
      }
    }
    t.set_prefix(t.has("bert.embeddings.word_embeddings.weight") ? "bert." : "");
    t.tensors(kRules);
  }

 private:
  static constexpr int64_t kRank = 4;
};

const Registered<Family> registered{std::make_unique<Bert>()};

}  // namespace
}  // namespace strata::models
