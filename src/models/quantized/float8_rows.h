// Weights that are stored as FP8 (E4M3 without infinities: 448 at most) with a scale for each block
// of rows and columns: weight = number * scale.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "models/quantized/hf_weight.h"
#include "models/quantized/stored.h"

namespace strata::models {

// Rows and columns that share a scale; at the ends there may be fewer.
struct ScaleBlock {
  uint64_t rows = 0;
  uint64_t cols = 0;
};

// `codes`: a matrix, or a stack of matrices. `scales`: one for all, one a row, or, with `block`,
// one a block; F32, F16, BF16 or F8_E8M0. BF16 where the products are such (scales of at most four
// significant bits, as powers of two), else float32. Error{invalid_argument} with file and tensor:
// shapes that do not fit.
HfWeight float8_weight(const Stored& stored, const std::string& name, const SafeTensor& codes,
                       const SafeTensor& scales, std::optional<ScaleBlock> block);

// The shape of a weight in E4M3 or in I8: two dimensions, or three. Error{invalid_argument}.
void check_matrices(const Stored& stored, const SafeTensor& codes);

}  // namespace strata::models
