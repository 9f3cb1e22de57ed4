// DeBERTa 2 and 3: BERT's norms behind every sum and plain MLPs, but scores that know how far a key
// stands from the query by vectors of distances, in the place of positions or beside them. GGUF has
// no such architecture: name and keys are ours.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/encoder_fields.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::string_view kArchitecture = "deberta-v2";
constexpr std::string_view kRows = "attention.distance_count";
constexpr std::string_view kSingle = "attention.distance_single_count";
constexpr std::string_view kMost = "attention.distance_max";
constexpr std::string_view kToKeys = "attention.distance_keys";  // whether there are any
constexpr std::string_view kToQueries = "attention.distance_queries";
constexpr std::string_view kShared = "attention.distance_shared";  // matrices of tokens make them
constexpr std::string_view kPoolerActivation = "classifier.activation";

constexpr std::array kRules{
    TensorRule{"token_embd", "embeddings.word_embeddings"},
    TensorRule{"token_types", "embeddings.token_type_embeddings"},
    TensorRule{"token_embd_norm", "embeddings.LayerNorm"},
    TensorRule{"distance_embd", "encoder.rel_embeddings"},
    TensorRule{"distance_embd_norm", "encoder.LayerNorm"},
    TensorRule{"blk.{}.attn_q", "encoder.layer.{}.attention.self.query_proj"},
    TensorRule{"blk.{}.attn_k", "encoder.layer.{}.attention.self.key_proj"},
    TensorRule{"blk.{}.attn_v", "encoder.layer.{}.attention.self.value_proj"},
    TensorRule{"blk.{}.attn_output", "encoder.layer.{}.attention.output.dense"},
    TensorRule{"blk.{}.attn_output_norm", "encoder.layer.{}.attention.output.LayerNorm"},
    TensorRule{"blk.{}.ffn_up", "encoder.layer.{}.intermediate.dense"},
    TensorRule{"blk.{}.ffn_down", "encoder.layer.{}.output.dense"},
    TensorRule{"blk.{}.layer_output_norm", "encoder.layer.{}.output.LayerNorm"},
};
// Where queries and keys of distances are not made as those of tokens are.
constexpr std::array kOwn{
    TensorRule{"blk.{}.attn_distance_q", "encoder.layer.{}.attention.self.pos_query_proj"},
    TensorRule{"blk.{}.attn_distance_k", "encoder.layer.{}.attention.self.pos_key_proj"}};
constexpr std::array kPositions{TensorRule{"position_embd", "embeddings.position_embeddings"}};
constexpr std::array kScores{TensorRule{"cls", "pooler.dense"},
                             TensorRule{"cls.output", "classifier"}};
// Heads of pre-training, of which vectors need none.
constexpr std::array kHeads{
    "pooler.dense.weight",
    "pooler.dense.bias",
    "cls.predictions.bias",
    "cls.predictions.transform.dense.weight",
    "cls.predictions.transform.dense.bias",
    "cls.predictions.transform.LayerNorm.weight",
    "cls.predictions.transform.LayerNorm.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    "lm_predictions.lm_head.bias",
    "lm_predictions.lm_head.dense.weight",
    "lm_predictions.lm_head.dense.bias",
    "lm_predictions.lm_head.LayerNorm.weight",
    "lm_predictions.lm_head.LayerNorm.bias",
    "mask_predictions.dense.weight",
    "mask_predictions.dense.bias",
    "mask_predictions.LayerNorm.weight",
    "mask_predictions.LayerNorm.bias",
    "mask_predictions.classifier.weight",
    "mask_predictions.classifier.bias",
};

[[noreturn]] void not_known(std::string_view field, std::string_view value) {
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' is '{}', which is not supported yet for {}", field,
                          printable(value), kArchitecture));
}

// A text with bars between, or a list of texts.
std::vector<std::string> words_of(const HfConfig& config, std::string_view field) {
  const json::value* value = config.find(field);
  if (value == nullptr) return {};
  if (value->is_array()) return config.texts(field);
  std::vector<std::string> words;
  std::string text = *config.text(field);
  std::erase(text, ' ');
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

class Deberta final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {kArchitecture}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(kArchitecture));
    ModelSpec& spec = build.spec;
    build.encoder();
    if (build.has("position_embd.weight")) {
      spec.position_embedding = build.matrix("position_embd.weight", spec.n_context, spec.n_embd);
    }
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      spec.layers.push_back(
          build.normed_sums(i, attention_of(build, i), build.mlp(i, false, Activation::gelu_erf)));
    }
    const auto pooler = file.text(build.key(kPoolerActivation)).value_or("gelu");
    if (pooler != "gelu" && pooler != "tanh") {
      refuse(fmt::format("{} is '{}'", build.key(kPoolerActivation), pooler));
    }
    build.score_head(pooler == "gelu" ? Activation::gelu_erf : Activation::tanh);
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"DebertaV2Model", kArchitecture, kArchitecture},
            {"DebertaV2ForMaskedLM", kArchitecture},
            {"DebertaV2ForSequenceClassification", kArchitecture, kArchitecture}};
  }

  void translate(Translation& t) const override {
    const HfConfig& config = t.config();
    t.expect_activation({"gelu"});
    t.refuse_unless_off("conv_kernel_size");
    t.decoder_keys();
    t.set_flag("attention.causal", false);
    t.set_number("attention.layer_norm_epsilon", config.number("layer_norm_eps").value_or(1e-7));
    same_width(config, "embedding_size");
    same_width(config, "pooler_hidden_size");
    distances(t);
    t.ignore("embeddings.position_ids");
    if (t.has_scores({"classifier.weight"})) {
      t.score_keys();
      t.set_text(key_of(kPoolerActivation), config.text("pooler_hidden_act").value_or("gelu"));
      t.tensors(kScores);
    } else {
      for (const char* head : kHeads) t.ignore(head);
    }
    t.set_prefix_under_head("deberta.", "embeddings.word_embeddings.weight");
    if (config.flag("position_biased_input").value_or(true)) {
      t.tensors(kPositions);
    } else {
      t.ignore("embeddings.position_embeddings.weight");
    }
    t.tensors(kRules);
    if (!config.flag("share_att_key").value_or(false)) t.tensors(kOwn);
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    encoder_fields(spec, fields);
    const auto& attention = std::get<Attention>(spec.layers[0].blocks[0].op);
    const DistanceVectors& vectors = attention.distance_vectors;
    json::array kinds;
    if (vectors.keys.weight != kNoTensor) kinds.emplace_back("c2p");
    if (vectors.queries.weight != kNoTensor) kinds.emplace_back("p2c");
    json::object& said = fields.said;
    said["relative_attention"] = true;
    said["pos_att_type"] = kinds;
    said["position_buckets"] = vectors.n_single > 0 ? vectors.n_rows / 2 : -1;
    said["max_relative_positions"] = vectors.max_distance;
    said["share_att_key"] = file.boolean(key_of(kShared)).value_or(true);
    said["norm_rel_ebd"] = vectors.norm.kind == NormKind::none ? "none" : "layer_norm";
    said["position_biased_input"] = spec.position_embedding != kNoTensor;
    said["embedding_size"] = said["pooler_hidden_size"] = spec.n_embd;
    if (!spec.scores) return;
    if (spec.scores->dense.weight == kNoTensor) {
      refuse_class("the class has a dense layer before its scores, which the file has not");
    }
    said["pooler_hidden_act"] = file.text(key_of(kPoolerActivation)).value_or("gelu");
  }

 private:
  static std::string key_of(std::string_view suffix) {
    return fmt::format("{}.{}", kArchitecture, suffix);
  }

  static void same_width(const HfConfig& config, std::string_view field) {
    const auto width = config.integer(field);
    if (width && *width != config.need_integer({"hidden_size"})) {
      not_known(field, std::to_string(*width));
    }
  }

  static void distances(Translation& t) {
    const HfConfig& config = t.config();
    if (!config.flag("relative_attention").value_or(false)) {
      not_known("relative_attention", "false");
    }
    const auto kinds = words_of(config, "pos_att_type");
    for (const std::string& kind : kinds) {
      if (kind != "c2p" && kind != "p2c") not_known("pos_att_type", kind);
    }
    const auto has = [&](const char* kind) {
      return std::ranges::find(kinds, kind) != kinds.end();
    };
    t.set_flag(kToKeys, has("c2p"));
    t.set_flag(kToQueries, has("p2c"));
    int64_t most = config.integer("max_relative_positions").value_or(-1);
    if (most < 1) most = config.need_integer({"max_position_embeddings"});
    const int64_t buckets = config.integer("position_buckets").value_or(-1);
    if (buckets > 0 && buckets < 4) not_known("position_buckets", std::to_string(buckets));
    const int64_t each_side = buckets > 0 ? buckets : most;
    if (most > kMaxContext || each_side > kMaxContext) {
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: 'max_relative_positions' is {} and 'position_buckets' "
                              "{}, the limit is {}",
                              most, buckets, kMaxContext));
    }
    t.set_integer(kRows, 2 * each_side);
    t.set_integer(kSingle, buckets > 0 ? buckets / 2 : 0);
    t.set_integer(kMost, most);
    const auto norms = words_of(config, "norm_rel_ebd");
    for (const std::string& norm : norms) {
      if (norm != "layer_norm" && norm != "none") not_known("norm_rel_ebd", norm);
    }
    t.set_flag(kShared, config.flag("share_att_key").value_or(false));
  }

  static Attention attention_of(SpecBuilder& build, int32_t layer) {
    const ModelSpec& spec = build.spec;
    Attention op = build.attention(layer, RopeKind::none);
    DistanceVectors& vectors = op.distance_vectors;
    vectors.n_rows = build.count(kRows, 2, 2 * kMaxContext);
    vectors.n_single = build.count(kSingle, 0, kMaxContext);
    vectors.max_distance = build.count(kMost, 1, kMaxContext);
    if (vectors.n_single > 0 && vectors.max_distance - 1 <= vectors.n_single) {
      refuse(fmt::format("{} is {}, which {} distances reach singly", build.key(kMost),
                         vectors.max_distance, vectors.n_single));
    }
    vectors.table = build.matrix("distance_embd.weight", vectors.n_rows, spec.n_embd);
    if (build.has("distance_embd_norm.weight")) {
      vectors.norm = build.layer_norm("distance_embd_norm", spec.n_embd);
    }
    const int64_t width = int64_t{op.n_heads} * op.head_dim;
    const bool shared = build.file().boolean(build.key(kShared)).value_or(true);
    const auto into_heads = [&](std::string_view part, const Linear& of_tokens) {
      return shared ? of_tokens : build.linear(layer_name(layer, part), width, spec.n_embd);
    };
    int32_t n_terms = 1;
    if (build.file().boolean(build.key(kToKeys)).value_or(true)) {
      vectors.keys = into_heads("attn_distance_k", op.k);
      ++n_terms;
    }
    if (build.file().boolean(build.key(kToQueries)).value_or(true)) {
      vectors.queries = into_heads("attn_distance_q", op.q);
      ++n_terms;
    }
    op.scale = 1.0f / std::sqrt(static_cast<float>(op.head_dim) * static_cast<float>(n_terms));
    return op;
  }
};

const Registered<Family> registered{std::make_unique<Deberta>()};

}  // namespace
}  // namespace strata::models
