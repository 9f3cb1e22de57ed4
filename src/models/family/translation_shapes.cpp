// Tensors whose numbers stand otherwise in the folder: in another shape, head by head, or not at
// all.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "models/family/limits.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {

std::vector<double> Translation::numbers_of_layers(std::string_view field) const {
  const json::value* value = config_.find(field);
  const auto refuse = [&](const std::string& why) {
    throw Error(Code::invalid_argument, fmt::format("config.json: '{}' {}", field, why));
  };
  if (value == nullptr || !value->is_array()) refuse("is no list of numbers");
  std::vector<double> numbers;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_number()) refuse("is no list of numbers");
    numbers.push_back(entry.to_number<double>());
  }
  if (numbers.size() != static_cast<size_t>(n_layers_)) {
    refuse(fmt::format("has {} entries for {} layers", numbers.size(), n_layers_));
  }
  return numbers;
}

std::vector<int32_t> Translation::each_layer(std::string_view field, int32_t max) const {
  std::vector<int32_t> out;
  for (const double number : numbers_of_layers(field)) {
    if (!(number >= 1) || number > max || number != std::floor(number)) {
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: '{}' holds {}, not from 1 to {}", field, number, max));
    }
    out.push_back(static_cast<int32_t>(number));
  }
  return out;
}

void Translation::layer_count(std::string_view field) {
  n_layers_ = width(field, kMaxLayers);
  set_integer("block_count", n_layers_);
}

void Translation::set_usual_prefix(std::string_view prefix, std::string_view tensor) {
  const bool is_there = has(fmt::format("{}{}", prefix, tensor));
  set_prefix(is_there ? std::string(prefix) : "");
}

void Translation::set_prefix_under_head(std::string_view prefix, std::string_view tensor) {
  Translation::set_usual_prefix(prefix, tensor);
}

bool Translation::has_scores(std::initializer_list<std::string_view> tensors) const {
  return std::ranges::any_of(tensors, [&](std::string_view tensor) { return has(tensor); });
}

void Translation::reshaped(const std::string& ours, const std::string& theirs,
                           const std::vector<uint64_t>& shape,
                           const std::vector<uint64_t>& /*stored*/, Change change) {
  const SafeTensor* tensor = folder_->find(theirs);
  if (tensor == nullptr) return file_->note_absent(ours, theirs);
  uint64_t n = 1, wanted = 1;
  for (const uint64_t size : tensor->shape) n *= size;
  for (const uint64_t size : shape) wanted *= size;
  if (n != wanted) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' has {} numbers, config.json asks for {}",
                            printable(tensor->name), n, wanted));
  }
  used_.insert(tensor->name);
  const RowsOf all{tensor->bytes, 1, n, safe_type_bytes(tensor->type)};
  put(ours, *tensor, change, shape, {part(*tensor, all, change)});
}

void Translation::positions_behind_padding(const std::string& ours, const std::string& theirs) {
  const int64_t first = config_.integer("pad_token_id").value_or(kUsualPadding) + 1;
  const int64_t n_rows = width("max_position_embeddings", kMaxContext);
  if (first < 1 || first >= n_rows) {
    throw Error(
        Code::invalid_argument,
        fmt::format("config.json: 'pad_token_id' is {}, for {} positions", first - 1, n_rows));
  }
  set_integer("context_length", n_rows - first);
  rows_from(ours, theirs, static_cast<uint64_t>(first));
}

void Translation::rows_from(const std::string& ours, const std::string& theirs, uint64_t first) {
  const SafeTensor* tensor = folder_->find(prefix_ + theirs);
  if (tensor == nullptr) return file_->note_absent(ours, prefix_ + theirs);
  if (tensor->shape.size() != 2 || tensor->shape[0] <= first) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' has no row {}", printable(tensor->name), first));
  }
  used_.insert(tensor->name);
  const uint64_t rows = tensor->shape[0] - first, cols = tensor->shape[1];
  const size_t element_bytes = safe_type_bytes(tensor->type);
  const RowsOf own{tensor->bytes.subspan(first * cols * element_bytes), rows, cols, element_bytes};
  put(ours, *tensor, Change::none, std::array{cols, rows}, {part(*tensor, own, Change::none)});
}

void Translation::heads(const std::string& ours, const std::string& theirs, const HeadRows& rows,
                        Change change) {
  if (storage_ != nullptr && heads_quantized(ours, theirs, rows, change)) return;
  const SafeTensor* tensor = folder_->find(theirs);
  if (tensor == nullptr) return file_->note_absent(ours, theirs);
  const auto n_heads = static_cast<uint64_t>(rows.n_heads);
  const auto per_head = static_cast<uint64_t>(rows.per_head);
  if (tensor->shape.size() != 2 || tensor->shape[0] != n_heads * per_head) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' has not the {} rows of {} heads of {}",
                            printable(tensor->name), n_heads * per_head, n_heads, per_head));
  }
  used_.insert(tensor->name);
  const uint64_t cols = tensor->shape[1];
  const size_t element_bytes = safe_type_bytes(tensor->type);
  const size_t row_bytes = cols * element_bytes;
  const auto n = static_cast<uint64_t>(rows.n);
  std::vector<MadePart> parts;
  for (uint64_t head = 0; head < n_heads; ++head) {
    const uint64_t first = head * per_head + static_cast<uint64_t>(rows.begin);
    const RowsOf own{tensor->bytes.subspan(first * row_bytes, n * row_bytes), n, cols,
                     element_bytes};
    parts.push_back(part(*tensor, own, change));
  }
  std::vector<uint64_t> shape{cols, n, n_heads};
  if (change == Change::transposed) std::swap(shape[0], shape[1]);
  put(ours, *tensor, change, shape, std::move(parts));
}

// Each takes some 200 bytes before anyone looks at the shape, however few its own bytes are.
void Translation::count_matrices(const SafeTensor& tensor) {
  const uint64_t n = tensor.shape.size() == 3 ? tensor.shape[0] : 1;
  const auto left = static_cast<uint64_t>(kMaxExpertMatrices - n_matrices_);
  if (n > left) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' is a stack of {} matrices, {} of {} are left for it",
                            printable(tensor.name), n, left, kMaxExpertMatrices));
  }
  n_matrices_ += static_cast<int64_t>(n);
}

void Translation::leave_out_layers(int64_t n) {
  size_t n_tensors = 0;
  for (int64_t i = n_layers_; i < n_layers_ + std::min<int64_t>(n, kMaxLayers); ++i) {
    const std::string prefix = stored_name(fmt::format("model.layers.{}.", i), 0);
    for (const SafeTensor& tensor : folder_->tensors()) {
      if (tensor.name.starts_with(prefix) && used_.insert(tensor.name).second) ++n_tensors;
    }
  }
  if (n_tensors == 0) return;
  log_info("{}: {} tensors behind layer {}, which guess further tokens, are left out",
           folder_->path().string(), n_tensors, n_layers_ - 1);
}

bool Translation::is_left_out(const SafeTensor& tensor) const {
  return std::ranges::any_of(
      left_out_, [&](const std::string& beginning) { return tensor.name.starts_with(beginning); });
}

void Translation::tell_left_out() const {
  const auto n = std::ranges::count_if(
      folder_->tensors(), [&](const SafeTensor& tensor) { return is_left_out(tensor); });
  if (n == 0) return;
  // Not the folder's path, which may be the store's own.
  log_warn("{} tensors of the parts that see or hear are left out: the model takes text only", n);
}

}  // namespace strata::models
