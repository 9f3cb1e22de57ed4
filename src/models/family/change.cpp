#include "models/family/change.h"

#include <utility>

#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {

bool is_half(Change change) {
  return change == Change::first_half || change == Change::second_half;
}

tensor::DType weight_type(const SafeTensor& tensor) {
  switch (tensor.type) {
    case SafeType::f32:
      return tensor::DType::f32;
    case SafeType::f16:
      return tensor::DType::f16;
    case SafeType::bf16:
      return tensor::DType::bf16;
    default:
      throw Error(Code::unimplemented,
                  fmt::format("tensor '{}' has dtype {}, which is not supported yet for weights",
                              printable(tensor.name), safe_type_name(tensor.type)),
                  "fetch the model in BF16, F16 or F32");
  }
}

bool is_transposed(Change change) {
  return change == Change::transposed || change == Change::transposed_even ||
         change == Change::transposed_odd || change == Change::transposed_first_half ||
         change == Change::transposed_second_half;
}

std::optional<Columns> columns_of(Change change, uint64_t cols) {
  switch (change) {
    case Change::transposed:
      return Columns{0, 1, cols};
    case Change::even_columns:
    case Change::transposed_even:
      return Columns{0, 2, cols / 2};
    case Change::odd_columns:
    case Change::transposed_odd:
      return Columns{1, 2, cols / 2};
    case Change::transposed_first_half:
      return Columns{0, 1, cols / 2};
    case Change::transposed_second_half:
      return Columns{cols / 2, 1, cols / 2};
    default:
      return std::nullopt;
  }
}

bool is_part(Change change) {
  return is_half(change) || (columns_of(change, 2) && change != Change::transposed);
}

std::vector<uint64_t> shape_of(const SafeTensor& tensor, Change change) {
  std::vector<uint64_t> shape(tensor.shape.rbegin(), tensor.shape.rend());
  if (shape.empty() || shape.size() > 3) {
    throw Error(Code::unimplemented,
                fmt::format("tensor '{}' has {} dimensions", printable(tensor.name), shape.size()));
  }
  if (const auto columns = columns_of(change, shape[0]); columns && is_part(change)) {
    if (shape.size() < 2 || shape[0] % 2 != 0) {
      throw Error(Code::invalid_argument,
                  fmt::format("tensor '{}' has {} columns, which are no halves",
                              printable(tensor.name), shape[0]));
    }
    shape[0] = columns->n;
  }
  if (is_transposed(change) && shape.size() > 1) std::swap(shape[0], shape[1]);
  if (!is_half(change)) return shape;
  uint64_t& rows = shape.size() > 1 ? shape[1] : shape[0];
  if (rows % 2 != 0) {
    throw Error(Code::invalid_argument, fmt::format("tensor '{}' has {} rows, which are no halves",
                                                    printable(tensor.name), rows));
  }
  rows /= 2;
  return shape;
}

}  // namespace strata::models
