#include "models/family/translation.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/log.h"
#include "models/family/change.h"
#include "models/family/limits.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::array kDecoderRules{
    TensorRule{"token_embd", "model.embed_tokens"},
    TensorRule{"output", "lm_head"},
    TensorRule{"output_norm", "model.norm"},
    TensorRule{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    TensorRule{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    TensorRule{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    TensorRule{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    TensorRule{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    TensorRule{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    TensorRule{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    TensorRule{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    TensorRule{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
};

constexpr std::array kPairRules{
    TensorRule{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", Change::pairs},
    TensorRule{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", Change::pairs},
};

constexpr std::array kExpertRules{
    TensorRule{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    TensorRule{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{e}.gate_proj"},
    TensorRule{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{e}.up_proj"},
    TensorRule{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{e}.down_proj"},
};

int32_t in_limits(int64_t value, int32_t max, std::string_view field) {
  if (value >= 1 && value <= max) return static_cast<int32_t>(value);
  throw Error(Code::invalid_argument,
              fmt::format("config.json: '{}' is {}, not from 1 to {}", field, value, max));
}

bool is_widened(Change change) {
  return change == Change::one_plus || change == Change::minus_exp;
}

// The matrices of a stack; a vector has one number a row.
std::vector<RowsOf> matrices_of(const SafeTensor& tensor) {
  const auto& shape = tensor.shape;
  const uint64_t n = shape.size() == 3 ? shape[0] : 1;
  const uint64_t rows = shape.size() == 3 ? shape[1] : shape[0];
  const uint64_t cols = shape.size() == 1 ? 1 : shape.back();
  if (n == 0 || rows == 0 || cols == 0) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' is empty", printable(tensor.name)));
  }
  std::vector<RowsOf> matrices;
  const size_t size = tensor.bytes.size() / n;
  for (uint64_t i = 0; i < n; ++i) {
    matrices.push_back(
        {tensor.bytes.subspan(i * size, size), rows, cols, safe_type_bytes(tensor.type)});
  }
  return matrices;
}

}  // namespace

std::string filled(std::string_view pattern, std::string_view mark, int32_t number) {
  const size_t at = pattern.find(mark);
  if (at == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), number, pattern.substr(at + mark.size()));
}

bool names_a_kind(std::string_view pattern) {
  return pattern.ends_with(".weight") || pattern.ends_with(".bias");
}

std::span<const TensorRule> decoder_rules() {
  return kDecoderRules;
}

std::span<const TensorRule> pair_rules() {
  return kPairRules;
}

std::span<const TensorRule> expert_rules() {
  return kExpertRules;
}

Translation::Translation(std::shared_ptr<const HfFolder> folder, std::string architecture)
    : folder_(std::move(folder)),
      storage_(open_storage(*folder_)),
      config_(folder_->config()),
      architecture_(std::move(architecture)),
      file_(std::make_shared<MadeFile>(
          std::string(weight_format_name(folder_->format())), folder_->file_bytes(), folder_,
          [held = folder_.get()](std::span<const std::byte> bytes) { held->release(bytes); })) {
  file_->set_text("general.architecture", architecture_);
  if (storage_ == nullptr) return;
  file_->set_text(kStorageKey, storage_->summary());
  if (const std::string note = storage_->note(); !note.empty()) {
    file_->set_text(kStorageNoteKey, note);
    log_info("{}: {}", folder_->path().string(), note);
  }
}

std::string Translation::key(std::string_view suffix) const {
  return fmt::format("{}.{}", architecture_, suffix);
}

std::optional<int64_t> Translation::copy_integer(std::string_view suffix,
                                                 std::initializer_list<std::string_view> fields) {
  const auto value = config_.integer(fields);
  if (value) set_integer(suffix, *value);
  return value;
}

std::optional<double> Translation::copy_number(std::string_view suffix,
                                               std::initializer_list<std::string_view> fields) {
  const auto value = config_.number(fields);
  if (value) set_number(suffix, *value);
  return value;
}

void Translation::copy_text(std::string_view suffix, std::string_view field) {
  if (const auto value = config_.text(field)) set_text(key(suffix), *value);
}

void Translation::copy_flag(std::string_view suffix, std::string_view field, bool otherwise) {
  set_flag(suffix, config_.flag(field).value_or(otherwise));
}

void Translation::copy_scale(std::string_view field) {
  const auto width = config_.number(field);
  if (width && *width > 0) set_number("attention.scale", 1.0 / std::sqrt(*width));
}

void Translation::said_by_tensor(std::string_view field, std::string_view /*ours*/,
                                 bool /*there*/) {
  config_.flag(field);
}

int64_t Translation::need_integer(std::string_view suffix,
                                  std::initializer_list<std::string_view> fields) {
  const auto value = copy_integer(suffix, fields);
  return value ? *value : config_.need_integer(fields);  // which says what is missing
}

int32_t Translation::width(std::string_view field, int32_t max) const {
  return in_limits(config_.need_integer({field}), max, field);
}

void Translation::set_architecture(std::string_view name) {
  architecture_ = name;
  file_->set_text("general.architecture", name);
}

void Translation::decoder_keys() {
  n_layers_ = in_limits(need_integer("block_count", {"num_hidden_layers", "n_layer", "num_layers"}),
                        kMaxLayers, "num_hidden_layers");
  const int32_t n_embd =
      in_limits(need_integer("embedding_length", {"hidden_size", "n_embd", "n_embed", "d_model"}),
                kMaxEmbedding, "hidden_size");
  n_heads_ = in_limits(
      need_integer("attention.head_count", {"num_attention_heads", "n_head", "num_heads"}),
      kMaxHeads, "num_attention_heads");
  n_kv_heads_ =
      in_limits(copy_integer("attention.head_count_kv", {"num_key_value_heads"}).value_or(n_heads_),
                kMaxHeads, "num_key_value_heads");
  head_dim_ =
      in_limits(copy_integer("attention.key_length", {"head_dim"}).value_or(n_embd / n_heads_),
                kMaxHeadDim, "head_dim");
  set_integer("attention.head_count_kv", n_kv_heads_);
  set_integer("attention.key_length", head_dim_);
  set_integer("attention.value_length", head_dim_);
  copy_integer("context_length", {"max_position_embeddings", "n_positions", "max_sequence_length"});
  const json::value* width = config_.find("intermediate_size");
  if (width == nullptr || !width->is_array()) {  // else one a layer, which the family reads
    copy_integer("feed_forward_length", {"intermediate_size", "n_inner", "ffn_dim"});
  }
  copy_integer("vocab_size", {"vocab_size"});
  copy_number("attention.layer_norm_rms_epsilon", {"rms_norm_eps"});
  copy_number("attention.layer_norm_epsilon",
              {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"});
  rotary();
}

void Translation::set_kv_heads(int64_t n) {
  n_kv_heads_ = in_limits(n, kMaxHeads, "num_kv_heads");
  set_integer("attention.head_count_kv", n_kv_heads_);
}

void Translation::set_layers(int64_t n, std::string_view field) {
  n_layers_ = in_limits(n, kMaxLayers, field);
}

void Translation::expect_activation(std::initializer_list<std::string_view> known) {
  const auto name =
      config_.text({"hidden_activation", "hidden_act", "activation_function", "activation"});
  if (!name || std::ranges::find(known, *name) != known.end()) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: 'hidden_act' is '{}', which is not supported yet for {}",
                          printable(*name), config_.architecture()));
}

void Translation::refuse_unless_off(std::string_view field) const {
  const json::value* value = config_.find(field);
  if (value == nullptr || *value == false || *value == 0) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' is {}, which is not supported yet for {}", field,
                          printable(to_json(*value)), config_.architecture()));
}

void Translation::expect(std::string_view field, const json::value& value) {
  const json::value* said = config_.find(field);
  if (said == nullptr || *said == value) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' is {}, which is not supported yet for {}", field,
                          printable(to_json(*said)), config_.architecture()));
}

void Translation::windows() {
  const auto window = config_.integer("sliding_window");
  if (!window || *window <= 0) return;
  const auto types = config_.texts("layer_types");
  if (types.empty()) {
    set_integer("attention.sliding_window", *window);
    copy_integer("attention.sliding_window_pattern", {"sliding_window_pattern"});
    return;
  }
  if (types.size() != static_cast<size_t>(n_layers_)) {
    throw Error(Code::invalid_argument, fmt::format("config.json: 'layer_types' has {} entries for "
                                                    "{} layers",
                                                    types.size(), n_layers_));
  }
  std::vector<bool> windowed;
  for (const std::string& type : types) {
    if (type != "sliding_attention" && type != "full_attention") {
      throw Error(Code::unimplemented,
                  fmt::format("config.json: a layer of type '{}' is not supported yet for {}",
                              printable(type), config_.architecture()));
    }
    windowed.push_back(type == "sliding_attention");
  }
  if (std::ranges::find(windowed, true) == windowed.end()) return;
  set_integer("attention.sliding_window", *window);
  set_flags("attention.sliding_window_pattern", windowed);
}

void Translation::no_windows() {
  config_.find("sliding_window");
  if (!config_.flag("use_sliding_window").value_or(false)) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: 'use_sliding_window' is not supported yet for {}",
                          config_.architecture()));
}

void Translation::expert_keys(bool renormalized) {
  const auto n =
      copy_integer("expert_count", {"num_experts", "num_local_experts", "n_routed_experts"});
  if (!n || *n == 0) return;
  copy_integer("expert_used_count", {"num_experts_per_tok"});
  copy_integer("expert_feed_forward_length", {"moe_intermediate_size"});
  const auto refuse = [&](std::string_view field) {
    throw Error(Code::unimplemented, fmt::format("config.json: '{}' is not supported yet for {}",
                                                 field, config_.architecture()));
  };
  expect("norm_topk_prob", renormalized);
  if (config_.integer("decoder_sparse_step").value_or(1) != 1) refuse("decoder_sparse_step");
  const json::value* dense = config_.find("mlp_only_layers");
  if (dense != nullptr && !(dense->is_array() && dense->get_array().empty())) {
    refuse("mlp_only_layers");
  }
}

void Translation::tensors(std::span<const TensorRule> rules) {
  for (const TensorRule& rule : rules) {
    const bool layered = rule.ours.find("{}") != std::string_view::npos;
    for (int32_t layer = 0; layer < (layered ? n_layers_ : 1); ++layer) {
      const std::string ours = filled(rule.ours, "{}", layer);
      std::string_view pattern = rule.theirs;
      if (pattern.starts_with(dropped_)) pattern.remove_prefix(dropped_.size());
      const std::string theirs = prefix_ + filled(pattern, "{}", layer);
      if (names_a_kind(rule.ours) || names_a_kind(rule.theirs)) {
        add(ours, theirs, rule.change);
        continue;
      }
      for (const char* kind : {".weight", ".bias"}) add(ours + kind, theirs + kind, rule.change);
    }
  }
}

void Translation::add(const std::string& ours, const std::string& theirs, Change change) {
  if (storage_ != nullptr && add_quantized(ours, theirs, change)) return;
  std::vector<const SafeTensor*> sources;
  if (theirs.find("{e}") == std::string::npos) {
    sources.push_back(folder_->find(theirs));
  } else {
    for (int32_t e = 0; e == 0 || sources.back() != nullptr; ++e) {
      sources.push_back(folder_->find(filled(theirs, "{e}", e)));
    }
    if (sources.size() > 1) sources.pop_back();
  }
  if (sources[0] == nullptr) return file_->note_absent(ours, theirs);
  const bool used = used_.contains(sources[0]->name) && !is_part(change);
  if (used || file_->find_tensor(ours) != nullptr) return;
  add_stack(ours, sources, change);
}

void Translation::add_stack(const std::string& ours, std::span<const SafeTensor* const> sources,
                            Change change) {
  const SafeTensor& first = *sources[0];
  std::vector<uint64_t> shape = shape_of(first, change);
  std::vector<MadePart> parts;
  for (const SafeTensor* tensor : sources) {
    if (tensor->shape != first.shape || tensor->type != first.type) {
      throw Error(Code::invalid_argument,
                  fmt::format("tensors '{}' and '{}' differ in shape or dtype",
                              printable(first.name), printable(tensor->name)));
    }
    count_matrices(*tensor);
    used_.insert(tensor->name);
    for (const RowsOf& matrix : matrices_of(*tensor)) {
      parts.push_back(part(*tensor, matrix, change));
    }
  }
  if (sources.size() > 1) shape.push_back(sources.size());
  put(ours, first, change, shape, std::move(parts));
}

void Translation::put(const std::string& ours, const SafeTensor& first, Change change,
                      std::span<const uint64_t> shape, std::vector<MadePart> parts) {
  file_->add_tensor(ours, is_widened(change) ? tensor::DType::f32 : weight_type(first), shape,
                    std::move(parts), first.name);
}

MadePart Translation::part(const SafeTensor& tensor, const RowsOf& matrix, Change change) const {
  if (tensor.by_columns) return part_by_columns(tensor, matrix, change);
  const tensor::DType type = weight_type(tensor);
  MadePart part;
  part.mapped = matrix.bytes;
  part.reads = {matrix.bytes};
  const size_t half = matrix.bytes.size() / 2;
  switch (change) {
    case Change::none:
      break;
    case Change::first_half:
      part.mapped = matrix.bytes.first(half);
      break;
    case Change::second_half:
      part.mapped = matrix.bytes.subspan(half);
      break;
    case Change::pairs:
      check_heads(matrix, head_dim_, tensor.name);
      part.make = [matrix, width = head_dim_] { return halves_to_pairs(matrix, width); };
      break;
    case Change::one_plus:
      part.make = [matrix, type] { return plus_one(matrix.bytes, type); };
      break;
    case Change::minus_exp:
      part.make = [matrix, type] { return minus_exp(matrix.bytes, type); };
      break;
    case Change::transposed:
    case Change::transposed_even:
    case Change::transposed_odd:
    case Change::transposed_first_half:
    case Change::transposed_second_half:
      part.make = [matrix, columns = *columns_of(change, matrix.cols)] {
        return transposed(matrix, columns);
      };
      break;
    case Change::even_columns:
    case Change::odd_columns:
      part.make = [matrix, columns = *columns_of(change, matrix.cols)] {
        return taken(matrix, columns);
      };
      break;
    case Change::grouped_qkv: {
      const QkvGroups groups{n_heads_, n_kv_heads_, head_dim_};
      check_groups(matrix, groups, tensor.name);
      part.make = [matrix, groups] { return ungrouped_qkv(matrix, groups); };
      break;
    }
  }
  // Readers take numbers from where they lie.
  const auto address = reinterpret_cast<uintptr_t>(part.mapped.data());
  if (!part.make && address % safe_type_bytes(tensor.type) != 0) {
    part.make = [bytes = part.mapped] { return std::vector(bytes.begin(), bytes.end()); };
  }
  part.size_bytes = part.mapped.size();
  if (is_widened(change)) part.size_bytes = matrix.rows * matrix.cols * sizeof(float);
  if (const auto columns = columns_of(change, matrix.cols)) {
    part.size_bytes = matrix.rows * columns->n * matrix.element_bytes;
  }
  if (part.make) part.mapped = {};
  return part;
}

// Its rows are made first. `matrix` says how many rows and columns the tensor has, of which the
// bytes are those of the transposed one; slices of rows there are none.
MadePart Translation::part_by_columns(const SafeTensor& tensor, const RowsOf& matrix,
                                      Change change) const {
  const RowsOf columns{matrix.bytes, matrix.cols, matrix.rows, matrix.element_bytes};
  const bool is_whole =
      matrix.bytes.size() == tensor.bytes.size() && matrix.rows == tensor.shape[0];
  const bool is_known =
      change == Change::none || change == Change::transposed || change == Change::pairs;
  if (!is_whole || !is_known) {
    throw Error(Code::unimplemented,
                fmt::format("tensor '{}' lies column by column, of which {} changes rows",
                            printable(tensor.name), config_.architecture()),
                "take the model's safetensors");
  }
  weight_type(tensor);  // refuses what is none
  MadePart part;
  part.size_bytes = matrix.bytes.size();
  part.reads = {matrix.bytes};
  if (change == Change::none) {
    part.make = [columns] { return transposed(columns, {0, 1, columns.cols}); };
  } else if (change == Change::transposed) {
    part.make = [bytes = matrix.bytes] { return std::vector(bytes.begin(), bytes.end()); };
  } else {
    check_heads(matrix, head_dim_, tensor.name);
    part.make = [columns, width = head_dim_] {
      const auto rows = transposed(columns, {0, 1, columns.cols});
      return halves_to_pairs({rows, columns.cols, columns.rows, columns.element_bytes}, width);
    };
  }
  return part;
}

void Translation::add_vector(std::string name, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  MadePart part;
  part.size_bytes = bytes.size();
  part.make = [held = std::vector(bytes.begin(), bytes.end())] { return held; };
  const std::array<uint64_t, 1> shape{values.size()};
  std::string stored = fmt::format("{} (from config.json)", name);
  file_->add_tensor(std::move(name), tensor::DType::f32, shape, {std::move(part)},
                    std::move(stored));
}

std::shared_ptr<MadeFile> Translation::finish() {
  config_.refuse_unread();
  tell_left_out();
  for (const SafeTensor& tensor : folder_->tensors()) {
    const bool ignored = std::ranges::any_of(
        ignored_, [&](const std::string& ending) { return tensor.name.ends_with(ending); });
    if (ignored || is_left_out(tensor) || used_.contains(tensor.name)) continue;
    if (storage_ != nullptr && storage_->is_of_activations(tensor.name)) continue;
    throw Error(Code::unimplemented,
                fmt::format("the folder has a tensor '{}', which {} does not use here",
                            printable(tensor.name), config_.architecture()),
                "without it the answers would be wrong; choose another form of this model");
  }
  return file_;
}

}  // namespace strata::models
