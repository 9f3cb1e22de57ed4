// The products of a lanes file that has no better way to multiply with several factors than one
// after the other.
#pragma once

#include <cstdint>

namespace strata::tensor {
namespace {

// acc[i] += the products of 16 pairs with the pair of factors at x + i * stride.
template <int kCount, class Pairs>
inline void dot_each(F (&acc)[kCount], Pairs pairs, const Factor* x, int64_t stride) {
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) acc[i] = dot_pair(acc[i], pairs, x + i * stride);
}

}  // namespace
}  // namespace strata::tensor
