#include "models/family/translation.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/log.h"
#include "models/family/change.h"
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

void Translation::tensors(std::span<const TensorRule> rules) {
  for (const TensorRule& rule : rules) {
    const bool layered = rule.ours.find("{}") != std::string_view::npos;
    for (int32_t layer = 0; layer < (layered ? n_layers_ : 1); ++layer) {
      const std::string ours = filled(rule.ours, "{}", layer);
      const std::string theirs = stored_name(rule.theirs, layer);
      if (names_a_kind(rule.ours) || names_a_kind(rule.theirs)) {
        add(ours, theirs, rule.change);
        continue;
      }
      for (const char* kind : {".weight", ".bias"}) add(ours + kind, theirs + kind, rule.change);
    }
  }
}

std::string Translation::stored_name(std::string_view pattern, int32_t layer) const {
  if (!pattern.starts_with(dropped_)) return filled(pattern, "{}", layer);
  pattern.remove_prefix(dropped_.size());
  return prefix_ + filled(pattern, "{}", layer);
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

// The embedding is the head of those only that say nothing of it, or that it is.
void Translation::check_head() const {
  constexpr std::string_view kHead = "output.weight";
  const std::string stored = file_->stored_name(kHead);  // its own: no rule asked for it
  if (stored == kHead || file_->find_tensor(kHead) != nullptr) return;
  if (is_model_alone()) return;
  if (config_.flag("tie_word_embeddings").value_or(true)) return;
  throw Error(Code::invalid_argument,
              fmt::format("config.json: 'tie_word_embeddings' is false, and the folder has no "
                          "tensor '{}'",
                          printable(stored)),
              "fetch the file that holds it; if the embedding is the head, set "
              "tie_word_embeddings to true");
}

std::shared_ptr<MadeFile> Translation::finish() {
  config_.refuse_unread();
  check_head();
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
