// The products of a pair of numbers with the factors of several queries or columns; last in a lanes
// file. Where factors are floats, all first numbers before all second ones: half as many unpacked
// registers are live (docs/engine/registers.md).
#pragma once

#include <cstdint>

namespace strata::tensor {
namespace {

// acc[i] += the products of 16 pairs with the pair of factors at x + i * stride.
template <int kCount, class Pairs>
[[gnu::always_inline]] inline void dot_each(F (&acc)[kCount], Pairs pairs, const Factor* x,
                                            int64_t stride) {
#if defined(STRATA_FLOAT_FACTORS)
  const F first = first_of(pairs);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) acc[i] = keep(fma(first, set1(x[i * stride]), acc[i]));
  const F second = second_of(pairs);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) acc[i] = keep(fma(second, set1(x[i * stride + 1]), acc[i]));
#else
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) acc[i] = dot_pair(acc[i], pairs, x + i * stride);
#endif
}

}  // namespace
}  // namespace strata::tensor
