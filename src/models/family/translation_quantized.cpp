// Weights that config.json says are quantised, as tensors that are made when they are read.
#include <algorithm>
#include <functional>

#include "core/error.h"
#include "models/family/change.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr uint64_t kPartWeights = 1u << 22;  // that are made at once

// Of what is made of each matrix.
struct RowOrder {
  uint64_t n = 0;
  std::function<uint64_t(uint64_t)> from;  // the row of the stored matrix
};

struct MatrixSize {
  uint64_t n_matrices = 1, rows = 0, cols = 0;
};

MatrixSize size_of(const HfWeight& weight) {
  const auto& shape = weight.shape;
  MatrixSize size{.rows = shape[shape.size() - 2], .cols = shape.back()};
  if (shape.size() == 3) size.n_matrices = shape[0];
  if (weight.made_transposed) std::swap(size.rows, size.cols);
  return size;
}

[[noreturn]] void refuse_rows(const HfWeight& weight, uint64_t rows) {
  throw Error(Code::invalid_argument, fmt::format("tensor '{}' has {} rows, which are no halves",
                                                  printable(weight.name), rows));
}

[[noreturn]] void refuse_layout(const HfWeight& weight) {
  throw Error(Code::unimplemented,
              fmt::format("tensor '{}' is quantised, which is not supported yet where its layout "
                          "has to be changed",
                          printable(weight.name)),
              "fetch the model in BF16 and quantise it here: strata quantize");
}

RowOrder in_order(uint64_t n, uint64_t first, uint64_t step) {
  return {n, [first, step](uint64_t i) { return first + i * step; }};
}

RowOrder order_of(const HfWeight& weight, Change change, const QkvGroups& heads) {
  const MatrixSize size = size_of(weight);
  const RowsOf rows{.bytes = {}, .rows = size.rows, .cols = size.cols};
  const bool halves = change == Change::first_half || change == Change::second_half;
  if (halves && size.rows % 2 != 0) refuse_rows(weight, size.rows);
  if (weight.made_transposed) {
    // The columns that the change takes are rows here.
    if (is_part(change) && size.rows % 2 != 0) refuse_rows(weight, size.rows);
    const auto taken = columns_of(change, size.rows);
    if (taken && is_transposed(change)) return in_order(taken->n, taken->first, taken->step);
  } else if (change == Change::none) {
    return in_order(size.rows, 0, 1);
  } else if (halves) {
    return in_order(size.rows / 2, change == Change::first_half ? 0 : size.rows / 2, 1);
  } else if (change == Change::pairs) {
    check_heads(rows, heads.head_dim, weight.name);
    return {size.rows, [heads](uint64_t i) { return halves_to_pairs_row(i, heads.head_dim); }};
  } else if (change == Change::grouped_qkv) {
    check_groups(rows, heads, weight.name);
    return {size.rows, [heads](uint64_t i) { return ungrouped_qkv_row(i, heads); }};
  }
  refuse_layout(weight);
}

// Rows [begin, end) of the result.
MadePart rows_of(const HfWeight& weight, tensor::DType type, uint64_t matrix, const RowOrder& order,
                 uint64_t begin, uint64_t end) {
  MadePart part;
  part.size_bytes = tensor::bytes_of(type, (end - begin) * size_of(weight).cols);
  part.make = [maker = weight.maker, from = order.from, size = part.size_bytes, type, matrix, begin,
               end] {
    std::vector<uint64_t> rows;
    for (uint64_t i = begin; i < end; ++i) rows.push_back(from(i));
    std::vector<std::byte> out(size);
    maker->make(type, matrix, rows, out.data());
    return out;
  };
  return part;
}

// Columns as rows: of floats only.
MadePart turned(MadePart part, uint64_t rows, uint64_t cols) {
  const size_t element_bytes = part.size_bytes / (rows * cols);
  part.make = [make = std::move(part.make), rows, cols, element_bytes] {
    const std::vector<std::byte> bytes = make();
    return transposed({bytes, rows, cols, element_bytes}, {0, 1, cols});
  };
  return part;
}

// `{e}` of a rule's name becomes the number.
std::string of_expert(std::string_view name, size_t at, int32_t number) {
  return fmt::format("{}{}{}", name.substr(0, at), number, name.substr(at + 3));
}

}  // namespace

bool Translation::add_quantized(const std::string& ours, const std::string& theirs, Change change) {
  if (file_->find_tensor(ours) != nullptr) return true;
  const size_t mark = theirs.find("{e}");
  std::vector<HfWeight> weights;
  for (int32_t e = 0; e == 0 || mark != std::string::npos; ++e) {
    auto weight = storage_->find(mark == std::string::npos ? theirs : of_expert(theirs, mark, e));
    if (!weight) break;
    weights.push_back(std::move(*weight));
  }
  if (weights.empty()) return false;
  add_made(ours, weights, change);
  return true;
}

void Translation::add_made(const std::string& ours, std::span<const HfWeight> weights,
                           Change change) {
  const HfWeight& first = weights[0];
  const RowOrder order = order_of(first, change, {n_heads_, n_kv_heads_, head_dim_});
  const MatrixSize size = size_of(first);
  const tensor::DType type = common_type(weights);
  std::vector<MadePart> parts;
  const uint64_t step = std::max<uint64_t>(1, kPartWeights / size.cols);
  for (const HfWeight& weight : weights) {
    const size_t first_part = parts.size();
    for (uint64_t matrix = 0; matrix < size.n_matrices; ++matrix) {
      for (uint64_t begin = 0; begin < order.n; begin += step) {
        parts.push_back(
            rows_of(weight, type, matrix, order, begin, std::min(order.n, begin + step)));
      }
    }
    for (const SafeTensor* tensor : weight.stored) {
      parts[first_part].reads.push_back(tensor->bytes);
      used_.insert(tensor->name);
    }
  }
  std::vector<uint64_t> shape{size.cols, order.n};
  if (first.shape.size() == 3) shape.push_back(size.n_matrices);
  if (weights.size() > 1) shape.push_back(weights.size());
  file_->add_tensor(ours, type, shape, std::move(parts), first.stored[0]->name);
}

bool Translation::heads_quantized(const std::string& ours, const std::string& theirs,
                                  const HeadRows& rows, Change change) {
  const auto weight = storage_->find(theirs);
  if (!weight) return false;
  const MatrixSize size = size_of(*weight);
  const bool turns = change == Change::transposed;
  const tensor::DType type =
      turns && weight->type != tensor::DType::bf16 ? tensor::DType::f32 : weight->type;
  const auto n_heads = static_cast<uint64_t>(rows.n_heads);
  const auto per_head = static_cast<uint64_t>(rows.per_head);
  if (size.rows != n_heads * per_head || size.n_matrices != 1) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' has not the {} rows of {} heads of {}",
                            printable(weight->name), n_heads * per_head, n_heads, per_head));
  }
  if ((change != Change::none && !turns) || !weight->maker->can_make(type)) refuse_layout(*weight);
  const auto n = static_cast<uint64_t>(rows.n);
  std::vector<MadePart> parts;
  for (uint64_t head = 0; head < n_heads; ++head) {
    const uint64_t first = head * per_head + static_cast<uint64_t>(rows.begin);
    MadePart part = rows_of(*weight, type, 0, in_order(n, first, 1), 0, n);
    parts.push_back(turns ? turned(std::move(part), n, size.cols) : std::move(part));
  }
  for (const SafeTensor* tensor : weight->stored) {
    parts[0].reads.push_back(tensor->bytes);
    used_.insert(tensor->name);
  }
  std::vector<uint64_t> shape{size.cols, n, n_heads};
  if (turns) std::swap(shape[0], shape[1]);
  file_->add_tensor(ours, type, shape, std::move(parts), weight->stored[0]->name);
  return true;
}

}  // namespace strata::models
