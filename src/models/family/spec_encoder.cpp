// What encoders and rerankers have besides their blocks: parts of the embedding, pooling, scores.
#include <algorithm>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/sentence_modules.h"
#include "models/family/spec_builder.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

// Values of pooling_type.
constexpr int64_t kNone = 0;
constexpr int64_t kMean = 1;
constexpr int64_t kFirst = 2;
constexpr int64_t kLast = 3;
constexpr int64_t kRank = 4;  // scores of the first state, or the last where attention is causal

constexpr std::string_view kPoolingOfScores = "classifier.pooling_type";

}  // namespace

std::vector<const Layer*> all_layers(const ModelSpec& spec) {
  std::vector<const Layer*> layers;
  if (spec.encoder) {
    for (const Layer& layer : spec.encoder->layers) layers.push_back(&layer);
  }
  for (const Layer& layer : spec.layers) layers.push_back(&layer);
  return layers;
}

bool is_causal(const ModelSpec& spec) {
  return std::ranges::all_of(spec.layers, [](const Layer& layer) {
    return std::ranges::all_of(layer.blocks, [](const Block& block) {
      const auto* attention = std::get_if<Attention>(&block.op);
      return attention == nullptr || attention->causal;
    });
  });
}

int32_t vector_width(const ModelSpec& spec) {
  return spec.dense.empty() ? spec.n_embd : spec.dense.back().n_outputs;
}

bool generates(const ModelSpec& spec) {
  return spec.head.weight != kNoTensor && is_causal(spec);
}

Pooling SpecBuilder::pooling() const {
  const int64_t type = count_or("pooling_type", kNone, kNone, kRank);
  switch (type) {
    case kMean:
      return Pooling::mean;
    case kFirst:
      return Pooling::first;
    case kLast:
      return Pooling::last;
    case kRank:
      if (file_.integer(key(kPoolingOfScores)).value_or(kFirst) == kMean) return Pooling::mean;
      return is_causal_ ? Pooling::last : Pooling::first;
    default:
      return is_causal_ ? Pooling::last : Pooling::mean;
  }
}

void SpecBuilder::dense() {
  for (size_t i = 0; i < kMaxDenseStages; ++i) {
    const std::string name = dense_name(i);
    const TensorInfo* weight = file_.find_tensor(name + ".weight");
    if (weight == nullptr) return;
    if (weight->cols() > kMaxEmbedding || weight->rows() > kMaxEmbedding) {
      refuse(fmt::format("tensor '{}' is {} x {}, the limit is {}", weight->name, weight->rows(),
                         weight->cols(), kMaxEmbedding));
    }
    DenseStage stage;
    stage.n_inputs = static_cast<int32_t>(weight->cols());
    stage.n_outputs = static_cast<int32_t>(weight->rows());
    stage.linear = linear(name, stage.n_outputs, stage.n_inputs);
    const std::string activation = key(name + "_activation");
    const auto function = file_.text(activation).value_or("");
    if (function == "tanh") {
      stage.activation = Activation::tanh;
    } else if (!function.empty()) {
      refuse(fmt::format("{} is '{}'", activation, printable(function)));
    }
    spec.dense.push_back(stage);
  }
  refuse(fmt::format("more than {} dense layers behind the pooling", kMaxDenseStages));
}

void SpecBuilder::looks_both_ways() {
  is_causal_ = file_.boolean(key("attention.causal")).value_or(false);
  spec.pooling = pooling();
}

void SpecBuilder::encoder() {
  looks_both_ways();
  spec.embedding_norm = layer_norm("token_embd_norm", spec.n_embd);
  const TensorInfo* types = file_.find_tensor("token_types.weight");
  if (types == nullptr) return;
  const uint64_t n = types->rows();
  if (n > kMaxTokenTypes) {
    refuse(
        fmt::format("tensor 'token_types.weight' has {} rows, the limit is {}", n, kMaxTokenTypes));
  }
  spec.n_types = static_cast<int32_t>(n);
  spec.type_embedding = matrix("token_types.weight", spec.n_types, spec.n_embd);
}

Layer SpecBuilder::normed_sums(int32_t layer, Attention attention, Mlp mlp) {
  Block first;
  first.op = std::move(attention);
  first.sum_norm = layer_norm(layer_name(layer, "attn_output_norm"), spec.n_embd);
  Block second;
  second.op = mlp;
  second.sum_norm = layer_norm(layer_name(layer, "layer_output_norm"), spec.n_embd);
  return {{std::move(first), std::move(second)}};
}

void SpecBuilder::score_head(Activation activation) {
  const TensorInfo* out = file_.find_tensor("cls.output.weight");
  if (out == nullptr) {
    // Rerankers of one matrix have it as cls; beside it stands no other.
    out = file_.find_tensor("cls.weight");
    if (out == nullptr) return;
  }
  const uint64_t n = out->rows();
  if (n < 1 || n > kMaxScores) {
    refuse(fmt::format("tensor '{}' has {} rows, from 1 to {} are possible", out->name, n,
                       kMaxScores));
  }
  ScoreHead head;
  head.n_scores = static_cast<int32_t>(n);
  if (out->name == "cls.weight") {
    head.out = linear("cls", head.n_scores, spec.n_embd);
  } else {
    if (has("cls.weight")) head.dense = linear("cls", spec.n_embd, spec.n_embd);
    if (has("cls.norm.weight")) head.norm = layer_norm("cls.norm", spec.n_embd);
    head.activation = activation;
    head.out = linear("cls.output", head.n_scores, spec.n_embd);
  }
  spec.scores = head;
}

void SpecBuilder::mask_head(Activation activation) {
  if (!has("masks.dense.weight")) return;
  MaskHead transform;
  transform.dense = linear("masks.dense", spec.n_embd, spec.n_embd);
  transform.activation = activation;
  transform.norm = layer_norm("masks.norm", spec.n_embd);
  spec.masks = transform;
  head();
  // That of a head which shares the embedding's weight.
  if (spec.head.bias == kNoTensor && has("output.bias")) {
    spec.head.bias = vector("output.bias", spec.n_vocab);
  }
}

}  // namespace strata::models
