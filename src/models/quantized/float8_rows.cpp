#include "models/quantized/float8_rows.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "tensor/half.h"

namespace strata::models {
namespace {

using tensor::DType;

// Sign, four bits of exponent (biased by 7), three of fraction; all ones but the sign are NaN.
float e4m3(uint32_t bits) {
  const auto exponent = static_cast<int>((bits >> 3) & 15);
  const auto fraction = static_cast<float>(bits & 7);
  float value = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
  if ((bits & 0x7F) == 0x7F) value = std::numeric_limits<float>::quiet_NaN();
  return (bits & 0x80) != 0 ? -value : value;
}

const std::array<float, 256>& e4m3_table() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (uint32_t i = 0; i < values.size(); ++i) values[i] = e4m3(i);
    return values;
  }();
  return table;
}

uint64_t blocks_of(uint64_t n, uint64_t block) {
  return (n + block - 1) / block;
}

struct Float8 {
  uint64_t rows = 0, cols = 0;  // of a matrix
  ScaleBlock block;
  uint64_t grid_rows = 0, grid_cols = 0;  // scales of a matrix
  const SafeTensor* codes = nullptr;
  const SafeTensor* scales = nullptr;
  std::string codes_name, scales_name;
};

// E4M3 has four significant bits, BF16 eight: of all exponents that products can have.
bool fits_bf16(const SafeTensor& scales) {
  constexpr uint32_t kRest = (1u << 20) - 1;  // of the fraction behind three bits
  for (uint64_t i = 0; i < scales.n_elements(); ++i) {
    const float scale = number_at(scales, i);
    const bool in_range = std::abs(scale) >= 0x1p-100f && std::abs(scale) <= 0x1p100f;
    if (!in_range || (std::bit_cast<uint32_t>(scale) & kRest) != 0) return false;
  }
  return true;
}

class Float8Rows : public RowMaker {
 public:
  explicit Float8Rows(Float8 weight)
      : weight_(std::move(weight)), fits_bf16_(fits_bf16(*weight_.scales)) {}

  bool can_make(DType type) const override {
    return type == DType::f32 || (type == DType::bf16 && fits_bf16_);
  }

  void make(DType type, uint64_t matrix, std::span<const uint64_t> rows,
            std::byte* out) const override {
    CHECK(can_make(type));
    std::vector<float> values(weight_.cols);
    for (const uint64_t row : rows) {
      fill(matrix, row, values);
      for (const float value : values) {
        if (type == DType::f32) {
          std::memcpy(out, &value, sizeof value);
          out += sizeof value;
        } else {
          const uint16_t half = tensor::f32_to_bf16(value);
          std::memcpy(out, &half, sizeof half);
          out += sizeof half;
        }
      }
    }
  }

 private:
  void fill(uint64_t matrix, uint64_t row, std::vector<float>& values) const {
    const Float8& w = weight_;
    const auto& table = e4m3_table();
    const std::byte* codes = w.codes->bytes.data() + (matrix * w.rows + row) * w.cols;
    const uint64_t scales_at = (matrix * w.grid_rows + row / w.block.rows) * w.grid_cols;
    for (uint64_t begin = 0; begin < w.cols; begin += w.block.cols) {
      const uint64_t end = std::min(w.cols, begin + w.block.cols);
      const float scale = number_at(*w.scales, scales_at + begin / w.block.cols);
      if (!std::isfinite(scale)) refuse(w.scales_name, matrix, row, begin);
      for (uint64_t col = begin; col < end; ++col) {
        values[col] = table[static_cast<uint8_t>(codes[col])] * scale;
        if (!std::isfinite(values[col])) refuse(w.codes_name, matrix, row, col);
      }
    }
  }

  [[noreturn]] static void refuse(const std::string& name, uint64_t matrix, uint64_t row,
                                  uint64_t col) {
    throw Error(
        Code::invalid_argument,
        fmt::format("{} holds a number that is NaN or infinite: matrix {}, row {}, column {}", name,
                    matrix, row, col),
        "the file is damaged or was converted wrongly: fetch it again");
  }

  Float8 weight_;
  bool fits_bf16_;
};

}  // namespace

void check_matrices(const Stored& stored, const SafeTensor& codes) {
  const size_t n = codes.shape.size();
  if ((n == 2 || n == 3) && !codes.bytes.empty()) return;
  stored.refuse(codes, "has {} dimensions and {} bytes, expected a matrix or a stack of them", n,
                codes.bytes.size());
}

HfWeight float8_weight(const Stored& stored, const std::string& name, const SafeTensor& codes,
                       const SafeTensor& scales, std::optional<ScaleBlock> block) {
  check_matrices(stored, codes);
  stored.expect_type(codes, {SafeType::f8_e4m3});
  stored.expect_type(scales, {SafeType::f32, SafeType::f16, SafeType::bf16, SafeType::f8_e8m0});
  const auto& shape = codes.shape;
  Float8 weight{.rows = shape[shape.size() - 2],
                .cols = shape.back(),
                .block = {},
                .codes = &codes,
                .scales = &scales,
                .codes_name = stored.named(codes),
                .scales_name = stored.named(scales)};
  const uint64_t n_matrices = shape.size() == 3 ? shape[0] : 1;
  const std::vector<uint64_t> a_row{weight.rows, 1}, a_row_only{weight.rows};
  if (block) {
    weight.block = *block;
  } else if (n_matrices == 1 && (scales.shape == a_row || scales.shape == a_row_only)) {
    weight.block = {1, weight.cols};
  } else if (n_matrices == 1 && scales.n_elements() == 1) {
    weight.block = {weight.rows, weight.cols};
  } else {
    stored.expect_shape(scales, a_row, "a scale a row, or one for all");
  }
  weight.grid_rows = blocks_of(weight.rows, weight.block.rows);
  weight.grid_cols = blocks_of(weight.cols, weight.block.cols);
  if (block) {
    std::vector<uint64_t> grid{weight.grid_rows, weight.grid_cols};
    if (shape.size() == 3) grid.insert(grid.begin(), n_matrices);
    stored.expect_shape(scales, grid,
                        fmt::format("a scale for {} x {} weights", block->rows, block->cols));
  }
  HfWeight result{.name = name,
                  .shape = shape,
                  .maker = std::make_shared<Float8Rows>(std::move(weight)),
                  .stored = {&codes, &scales}};
  result.type = result.maker->can_make(DType::bf16) ? DType::bf16 : DType::f32;
  return result;
}

}  // namespace strata::models
