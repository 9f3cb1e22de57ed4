#include "models/family/spec_builder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/weights.h"

namespace strata::models {
namespace {

// Keys that change the formula in a way no family here knows, with the value that changes nothing.
struct NeutralKey {
  std::string_view suffix;
  double neutral;
};
constexpr std::array kNeutralKeys{
    NeutralKey{"expert_count", 0},
    NeutralKey{"expert_used_count", 0},
    NeutralKey{"expert_gating_func", 1},  // softmax
    NeutralKey{"expert_group_count", 0},
    NeutralKey{"expert_shared_count", 0},
    NeutralKey{"expert_weights_scale", 1},
    NeutralKey{"leading_dense_block_count", 0},
    NeutralKey{"attention.clamp_kqv", 0},
    NeutralKey{"attention.max_alibi_bias", 0},
    NeutralKey{"residual_scale", 1},
    NeutralKey{"embedding_scale", 1},
    NeutralKey{"rope.scaling.yarn_log_multiplier", 0},
    NeutralKey{"rope.scaling.yarn_ext_factor", 1},
    NeutralKey{"attention.temperature_scale", 0},
    NeutralKey{"nextn_predict_layers", 0},
};

int32_t in_range(int64_t value, int32_t min, int32_t max, const std::string& key) {
  if (value < min || value > max) {
    refuse(fmt::format("{} is {}, not from {} to {}", key, value, min, max));
  }
  return static_cast<int32_t>(value);
}

float finite(double value, const std::string& key) {
  const auto number = static_cast<float>(value);
  if (!std::isfinite(number)) refuse(fmt::format("{} is {}, not a finite number", key, value));
  return number;
}

// A number of any type; nullopt when the key is absent.
std::optional<double> any_number(const ModelFile& file, const std::string& key) {
  const MetaValue* value = file.find(key);
  if (value == nullptr) return std::nullopt;
  switch (value->type) {
    case MetaType::f32:
    case MetaType::f64:
      return file.number(key);
    case MetaType::boolean:
      return *file.boolean(key) ? 1.0 : 0.0;
    case MetaType::array: {  // one a layer: the value that differs most from all-equal matters
      const auto numbers = file.integers(key);
      double largest = 0;
      for (const int64_t number : *numbers) {
        if (std::abs(static_cast<double>(number)) > std::abs(largest)) {
          largest = static_cast<double>(number);
        }
      }
      return largest;
    }
    default:
      return static_cast<double>(*file.integer(key));
  }
}

}  // namespace

std::string layer_name(int32_t layer, std::string_view part) {
  return fmt::format("blk.{}.{}", layer, part);
}

SpecBuilder::SpecBuilder(const ModelFile& file, std::string family,
                         std::span<const std::string_view> reads)
    : file_(file) {
  spec.family = std::move(family);
  architecture_ = file.text("general.architecture").value_or("");
  n_layers_ = count("block_count", 1, kMaxLayers);
  spec.n_embd = count("embedding_length", 1, kMaxEmbedding);
  spec.n_context = count("context_length", 1, kMaxContext);
  refuse_unknown_formulas(reads);
  is_causal_ = file.boolean(key("attention.causal")).value_or(true);
  spec.pooling = pooling();
  const TensorInfo* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) refuse("tensor 'token_embd.weight' is missing");
  const uint64_t rows = embedding->rows();
  if (rows > kMaxVocabulary) {
    refuse(fmt::format("tensor 'token_embd.weight' has {} rows, the limit is {}", rows,
                       kMaxVocabulary));
  }
  spec.n_vocab = static_cast<int32_t>(rows);
  spec.token_embedding = matrix("token_embd.weight", spec.n_vocab, spec.n_embd);
  dense();
}

void SpecBuilder::refuse_unknown_formulas(std::span<const std::string_view> reads) const {
  for (const auto& entry : kNeutralKeys) {
    if (std::ranges::find(reads, entry.suffix) == reads.end()) {
      refuse_unless(entry.suffix, entry.neutral);
    }
  }
}

std::string SpecBuilder::key(std::string_view suffix) const {
  return fmt::format("{}.{}", architecture_, suffix);
}

int32_t SpecBuilder::count(std::string_view suffix, int32_t min, int32_t max) const {
  const auto value = file_.integer(key(suffix));
  if (!value) refuse(fmt::format("metadata key '{}' is missing", key(suffix)));
  return in_range(*value, min, max, key(suffix));
}

int32_t SpecBuilder::count_or(std::string_view suffix, int32_t fallback, int32_t min,
                              int32_t max) const {
  return file_.find(key(suffix)) == nullptr ? fallback : count(suffix, min, max);
}

int32_t SpecBuilder::layer_count(std::string_view suffix, int32_t layer,
                                 std::optional<int32_t> fallback, int32_t min, int32_t max) const {
  const MetaValue* value = file_.find(key(suffix));
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || value->type != MetaType::array) return count(suffix, min, max);
  const auto values = *file_.integers(key(suffix));
  if (values.size() < static_cast<size_t>(n_layers_)) {
    refuse(fmt::format("{} has {} entries for {} layers", key(suffix), values.size(), n_layers_));
  }
  return in_range(values[static_cast<size_t>(layer)], min, max, key(suffix));
}

float SpecBuilder::number(std::string_view suffix) const {
  const auto value = file_.number(key(suffix));
  if (!value) refuse(fmt::format("metadata key '{}' is missing", key(suffix)));
  return finite(*value, key(suffix));
}

float SpecBuilder::number_or(std::string_view suffix, float fallback) const {
  return file_.find(key(suffix)) == nullptr ? fallback : number(suffix);
}

void SpecBuilder::refuse_unless(std::string_view suffix, double neutral) const {
  const auto value = any_number(file_, key(suffix));
  if (!value || *value == neutral) return;
  throw Error(Code::unimplemented,
              fmt::format("the model has {} = {}, which is not supported yet", key(suffix), *value),
              "choose another model of this family");
}

HeadShape SpecBuilder::head_shape(int32_t layer) const {
  HeadShape shape;
  shape.n_heads = layer_count("attention.head_count", layer, std::nullopt, 1, kMaxHeads);
  shape.n_kv_heads = layer_count("attention.head_count_kv", layer, shape.n_heads, 1, kMaxHeads);
  if (shape.n_heads % shape.n_kv_heads != 0) {
    refuse(fmt::format("{} heads can't share {} key-value heads evenly", shape.n_heads,
                       shape.n_kv_heads));
  }
  if (file_.find(key("attention.key_length")) != nullptr) {
    shape.head_dim = count("attention.key_length", 1, kMaxHeadDim);
  } else if (spec.n_embd % shape.n_heads == 0) {
    shape.head_dim = in_range(spec.n_embd / shape.n_heads, 1, kMaxHeadDim, "the head's width");
  } else {
    refuse(fmt::format("{} {} does not divide by {} heads", key("embedding_length"), spec.n_embd,
                       shape.n_heads));
  }
  if (const int32_t value = count_or("attention.value_length", shape.head_dim, 1, kMaxHeadDim);
      value != shape.head_dim) {
    throw Error(Code::unimplemented,
                fmt::format("keys of {} and values of {} numbers a head", shape.head_dim, value));
  }
  return shape;
}

bool SpecBuilder::is_windowed(int32_t layer, int32_t period) const {
  const std::string pattern = key("attention.sliding_window_pattern");
  const MetaValue* value = file_.find(pattern);
  if (value != nullptr && value->type == MetaType::array) {
    const bool flags = value->element == MetaType::boolean;
    if (!flags || value->count < static_cast<uint64_t>(n_layers_)) {
      refuse(fmt::format("{} is not one flag for each of {} layers", pattern, n_layers_));
    }
    return value->bytes[static_cast<size_t>(layer)] != std::byte{0};
  }
  const int32_t own = count_or("attention.sliding_window_pattern", period, 1, kMaxLayers);
  return own == 0 || layer % own != own - 1;
}

int32_t SpecBuilder::window(int32_t layer, int32_t period, int32_t fallback) const {
  const int32_t width = count_or("attention.sliding_window", fallback, 0, kMaxContext);
  return width > 0 && is_windowed(layer, period) ? width : 0;
}

float SpecBuilder::attention_scale(int32_t width) const {
  const float scale = number_or("attention.scale", 1.0f / std::sqrt(static_cast<float>(width)));
  if (!(scale > 0)) refuse(fmt::format("{} is {}", key("attention.scale"), scale));
  return scale;
}

TensorId SpecBuilder::slot(TensorSlot slot) {
  const auto [begin, end] = slots_.equal_range(slot.name);
  for (auto known = begin; known != end; ++known) {
    if (spec.tensors[static_cast<size_t>(known->second)] == slot) return known->second;
  }
  const std::string name = slot.name;
  return slots_.emplace(name, append(std::move(slot)))->second;
}

TensorId SpecBuilder::append(TensorSlot slot) {
  spec.tensors.push_back(std::move(slot));
  return static_cast<TensorId>(spec.tensors.size() - 1);
}

TensorId SpecBuilder::matrix(std::string name, int64_t rows, int64_t cols) {
  TensorSlot entry;
  entry.name = std::move(name);
  entry.rows = static_cast<uint64_t>(rows);
  entry.cols = static_cast<uint64_t>(cols);
  return slot(std::move(entry));
}

TensorId SpecBuilder::vector(std::string name, int64_t n) {
  return matrix(std::move(name), 1, n);
}

Linear SpecBuilder::linear(const std::string& prefix, int64_t rows, int64_t cols) {
  Linear out{matrix(prefix + ".weight", rows, cols), kNoTensor};
  if (has(prefix + ".bias")) out.bias = vector(prefix + ".bias", rows);
  return out;
}

Linear SpecBuilder::slice(const std::string& prefix, int64_t begin, int64_t rows, int64_t cols,
                          int64_t stored_rows) {
  TensorSlot weight;
  weight.name = prefix + ".weight";
  weight.rows = static_cast<uint64_t>(rows);
  weight.cols = static_cast<uint64_t>(cols);
  weight.row_begin = static_cast<uint64_t>(begin);
  weight.stored_rows = static_cast<uint64_t>(stored_rows);
  Linear out{slot(std::move(weight)), kNoTensor};
  if (!has(prefix + ".bias")) return out;
  TensorSlot bias;
  bias.name = prefix + ".bias";
  bias.cols = static_cast<uint64_t>(rows);
  bias.col_begin = static_cast<uint64_t>(begin);
  bias.stored_cols = static_cast<uint64_t>(stored_rows);
  out.bias = slot(std::move(bias));
  return out;
}

std::vector<TensorId> SpecBuilder::stack(const std::string& name, int32_t n, int64_t rows,
                                         int64_t cols) {
  std::vector<TensorId> ids;
  for (int32_t i = 0; i < n; ++i) {
    TensorSlot matrix;
    matrix.name = name;
    matrix.rows = static_cast<uint64_t>(rows);
    matrix.cols = static_cast<uint64_t>(cols);
    matrix.matrix = static_cast<uint64_t>(i);
    matrix.stored_matrices = static_cast<uint64_t>(n);
    locate_weight(file_, matrix);
    ids.push_back(append(std::move(matrix)));
  }
  return ids;
}

std::vector<TensorId> SpecBuilder::parts(const std::string& name, int32_t n, int64_t begin,
                                         int64_t stride, int64_t rows, int64_t cols) {
  std::vector<TensorId> ids;
  for (int32_t i = 0; i < n; ++i) {
    TensorSlot part;
    part.name = name;
    part.rows = static_cast<uint64_t>(rows);
    part.cols = static_cast<uint64_t>(cols);
    part.row_begin = static_cast<uint64_t>(begin + i * stride);
    part.stored_rows = static_cast<uint64_t>(n * stride);
    locate_weight(file_, part);
    ids.push_back(append(std::move(part)));
  }
  return ids;
}

float SpecBuilder::norm_epsilon(std::string_view suffix) const {
  const float epsilon = number(suffix);
  if (!(epsilon > 0) || epsilon > 1) {
    refuse(fmt::format("{} is {}, not between 0 and 1", key(suffix), epsilon));
  }
  return epsilon;
}

Norm SpecBuilder::rms_norm(const std::string& prefix, int64_t n) {
  Norm norm = plain_rms_norm();
  norm.weight = vector(prefix + ".weight", n);
  return norm;
}

Norm SpecBuilder::plain_rms_norm() const {
  return {NormKind::rms, norm_epsilon("attention.layer_norm_rms_epsilon"), kNoTensor, kNoTensor};
}

Norm SpecBuilder::layer_norm(const std::string& prefix, int64_t n) {
  Norm norm = plain_layer_norm();
  norm.weight = vector(prefix + ".weight", n);
  if (has(prefix + ".bias")) norm.bias = vector(prefix + ".bias", n);
  return norm;
}

Norm SpecBuilder::plain_layer_norm() const {
  return {NormKind::layer, norm_epsilon("attention.layer_norm_epsilon"), kNoTensor, kNoTensor};
}

Norm SpecBuilder::norm(NormKind kind, const std::string& prefix, int64_t n) {
  return kind == NormKind::layer ? layer_norm(prefix, n) : rms_norm(prefix, n);
}

Attention SpecBuilder::attention(int32_t layer, RopeKind kind, bool own_keys) {
  const HeadShape shape = head_shape(layer);
  Attention op;
  op.n_heads = shape.n_heads;
  op.n_kv_heads = shape.n_kv_heads;
  op.head_dim = shape.head_dim;
  op.scale = attention_scale(shape.head_dim);
  op.causal = is_causal_;
  op.rope = rope(kind, shape.head_dim);
  projections(op, layer, own_keys);
  return op;
}

void SpecBuilder::norms_of_q_and_k(Attention& attention, int32_t layer, HeadNorms norms,
                                   NormKind kind) {
  attention.head_norms = norms;
  const auto make = [&](std::string_view part, int32_t n_heads) {
    const std::string prefix = layer_name(layer, part);
    const int64_t width = attention.head_dim;
    if (norms == HeadNorms::joined) return norm(kind, prefix, width * n_heads);
    if (norms == HeadNorms::shared) return norm(kind, prefix, width);
    const std::string_view epsilon =
        kind == NormKind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
    return Norm{kind, norm_epsilon(epsilon), matrix(prefix + ".weight", n_heads, width), kNoTensor};
  };
  attention.q_norm = make("attn_q_norm", attention.n_heads);
  attention.k_norm = make("attn_k_norm", attention.n_kv_heads);
}

void SpecBuilder::projections(Attention& attention, int32_t layer, bool own_keys) {
  const int64_t q_width = int64_t{attention.n_heads} * attention.head_dim;
  const int64_t kv_width = int64_t{attention.n_kv_heads} * attention.head_dim;
  const std::string fused = layer_name(layer, "attn_qkv");
  if (has(fused + ".weight")) {
    const int64_t all = q_width + 2 * kv_width;
    attention.q = slice(fused, 0, q_width, spec.n_embd, all);
    attention.k = slice(fused, q_width, kv_width, spec.n_embd, all);
    attention.v = slice(fused, q_width + kv_width, kv_width, spec.n_embd, all);
  } else {
    attention.q = linear(layer_name(layer, "attn_q"), q_width, spec.n_embd);
    for (auto* const part : {&attention.k, &attention.v}) {
      const std::string name = layer_name(layer, part == &attention.k ? "attn_k" : "attn_v");
      if (own_keys || has(name + ".weight")) *part = linear(name, kv_width, spec.n_embd);
    }
  }
  attention.o = linear(layer_name(layer, "attn_output"), spec.n_embd, q_width);
}

Mlp SpecBuilder::mlp(int32_t layer, bool gated, Activation activation) {
  Mlp mlp;
  mlp.activation = activation;
  mlp.n_hidden = layer_count("feed_forward_length", layer, std::nullopt, 1, kMaxHidden);
  if (gated) mlp.gate = linear(layer_name(layer, "ffn_gate"), mlp.n_hidden, spec.n_embd);
  mlp.up = linear(layer_name(layer, "ffn_up"), mlp.n_hidden, spec.n_embd);
  mlp.down = linear(layer_name(layer, "ffn_down"), spec.n_embd, mlp.n_hidden);
  return mlp;
}

Mlp SpecBuilder::fused_mlp(int32_t layer, Activation activation) {
  Mlp mlp;
  mlp.activation = activation;
  mlp.n_hidden = layer_count("feed_forward_length", layer, std::nullopt, 1, kMaxHidden);
  const std::string up = layer_name(layer, "ffn_up");
  const int64_t all = int64_t{2} * mlp.n_hidden;
  mlp.gate = slice(up, 0, mlp.n_hidden, spec.n_embd, all);
  mlp.up = slice(up, mlp.n_hidden, mlp.n_hidden, spec.n_embd, all);
  mlp.down = linear(layer_name(layer, "ffn_down"), spec.n_embd, mlp.n_hidden);
  return mlp;
}

ModelSpec SpecBuilder::decoder(const std::function<Layer(int32_t)>& layer,
                               const std::optional<Norm>& final_norm) {
  for (int32_t i = 0; i < n_layers_; ++i) spec.layers.push_back(layer(i));
  spec.final_norm = final_norm ? *final_norm : rms_norm("output_norm", spec.n_embd);
  head();
  return std::move(spec);
}

void SpecBuilder::head() {
  if (file_.boolean(key(kHeadless)).value_or(false)) return;
  spec.head = {spec.token_embedding, kNoTensor};
  if (has("output.weight")) spec.head = linear("output", spec.n_vocab, spec.n_embd);
}

}  // namespace strata::models
