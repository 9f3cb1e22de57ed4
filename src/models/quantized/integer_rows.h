// Weights that are stored as small integers with a scale (and a zero point) for each group of
// columns of a row: weight = (code - zero) * scale.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "models/quantized/hf_weight.h"

namespace strata::models {

struct IntegerWeight {
  uint64_t rows = 0;
  uint64_t cols = 0;
  uint64_t group_cols = 0;              // groups follow each other …
  std::span<const std::byte> group_of;  // … or this is each column's: int32, below n_groups
  uint64_t n_groups = 1;
  int32_t min_code = 0;
  int32_t max_code = 0;
  // Codes of some rows, row after row.
  std::function<void(std::span<const uint64_t> rows, int16_t* out)> codes;
  std::function<int32_t(uint64_t row, uint64_t group)> zero;  // none: 0 everywhere
  std::function<float(uint64_t row, uint64_t group)> scale;
  bool scales_are_f16 = false;
  std::string scales;  // names them in errors
};

std::shared_ptr<const RowMaker> integer_rows(IntegerWeight weight);

// Of integer_rows(). Blocks of 32 with an fp16 scale where nothing is lost by it: Q4_0 holds
// differences from the zero point of -8 to 7, Q5_0 of -16 to 15, Q8_0 of -128 to 127. Else float32:
// columns of a block belong to different groups, scales are no fp16, or differences need nine bits.
tensor::DType smallest_type(const RowMaker& rows);

}  // namespace strata::models
