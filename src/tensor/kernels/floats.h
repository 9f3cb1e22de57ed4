// Sums of products of floats: sixteen rows with several columns, every output one accumulator over
// k in order, for any number of columns.
#pragma once

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/numbers.h"

namespace strata::tensor {
namespace {

// acc[c] = sum over k < n of w[16 k ..] * x[c * x_stride + k * x_step].
template <int kColumns>
inline void float_sums(const float* w, const float* x, int64_t x_stride, int64_t x_step, int64_t n,
                       F* acc) {
  F sums[kColumns];
#pragma GCC unroll 16
  for (int c = 0; c < kColumns; ++c) sums[c] = set1(0.0f);
  for (int64_t k = 0; k < n; ++k) {
    const F weights = load(w + 16 * k);
#pragma GCC unroll 16
    for (int c = 0; c < kColumns; ++c) {
      sums[c] = fma(weights, set1(x[c * x_stride + k * x_step]), sums[c]);
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < kColumns; ++c) acc[c] = sums[c];
}

}  // namespace
}  // namespace strata::tensor
