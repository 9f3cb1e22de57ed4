// The plain reference for every type of weight: blocks to float32. Kernels are tested against it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace strata::tensor {

// Converts n_weights weights (a multiple of the type's block) from `src`, which need not be
// aligned, to `dst`. Each weight is computed in float32 in one fixed order, so that results are
// bit-equal everywhere; integers and f64 are rounded to the nearest float.
//
// Scales that are NaN or infinite give NaN or infinite weights, as in every other reader; finding
// them is the business of first_bad_scale. The types of the activations (Q8_1, Q8_K) convert, too.
// Block layouts: docs/formats.md.
void dequantize_row(DType type, const std::byte* src, float* dst, int64_t n_weights);

// Index of the first block whose scale or minimum is NaN or infinite, for unquantised floats of
// the first weight that is; -1 when there is none. Reads the scales only.
int64_t first_bad_scale(DType type, const std::byte* src, int64_t n_weights);

}  // namespace strata::tensor
