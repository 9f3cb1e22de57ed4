// float32 weights times float32 activations, one row block at a time, so that the sums of several
// columns stay in registers beside its sixteen weights.
#pragma once

#include "tensor/kernels/floats.h"

namespace strata::tensor {
namespace {

// Row blocks [block, block + kRows) with the n columns from c0 on. w: of the first of them,
// block_floats apart.
template <int kRows>
inline void float_blocks(const MatmulArgs& args, const float* w, int64_t block_floats,
                         int32_t block, int32_t c0, int32_t n) {
  const int64_t k = int64_t{args.n_groups} * kGroup;
  for (int32_t done = 0; done < n;) {
    const int step = next_columns<kFloatColumns>(n - done);
    const float* x = args.floats + (c0 + done) * args.float_stride;
    with_number<kFloatColumns>(step, [&](auto number) {
      constexpr int kColumns = decltype(number)::value;
      F sums[kRows][kColumns];
      for (int r = 0; r < kRows; ++r) {
        float_sums<kColumns>(w + r * block_floats, x, args.float_stride, 1, k, sums[r]);
      }
      write_columns(args, block, c0 + done, sums);
    });
    done += step;
  }
}

void matmul_floats(const MatmulArgs& args) {
  const auto* w = reinterpret_cast<const float*>(args.tiles);
  const int64_t block_floats = args.block_bytes / static_cast<int64_t>(sizeof(float));
  // As many columns at a time as half of L2 has room for.
  const int32_t panel = spread_columns(2 * args.n_groups);
  for (int32_t c0 = 0; c0 < args.n_cols; c0 += panel) {
    const int32_t n = args.n_cols - c0 < panel ? args.n_cols - c0 : panel;
    int32_t b = 0;
    for (; b + 2 <= args.n_blocks; b += 2) {
      float_blocks<2>(args, w + b * block_floats, block_floats, b, c0, n);
    }
    if (b < args.n_blocks) float_blocks<1>(args, w + b * block_floats, block_floats, b, c0, n);
  }
}

}  // namespace
}  // namespace strata::tensor
