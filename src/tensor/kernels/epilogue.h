// How results leave a kernel: plain, or activation(gate) * up.
#pragma once

#include "tensor/kernels/row_ops.h"

namespace strata::tensor {
namespace {

// Row blocks [block, block + kRows) of column c have the sums acc[0 .. kRows).
template <int kRows>
inline void write_column(const MatmulArgs& args, int32_t block, int32_t c, const F* acc) {
  float* out = args.out + c * args.out_stride;
  if (args.gated) {
#pragma GCC unroll 4
    for (int r = 0; r + 1 < kRows; r += 2) {
      const F result = mul(activation(args.activation, acc[r]), acc[r + 1]);
      const int rows = block + r + 2 == args.n_blocks ? args.last_rows : kRowBlock;
      store_up_to(out + (block + r) / 2 * kRowBlock, result, rows);
    }
    return;
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const int rows = block + r + 1 == args.n_blocks ? args.last_rows : kRowBlock;
    store_up_to(out + (block + r) * kRowBlock, acc[r], rows);
  }
}

// The same of columns c0 and following ones.
template <int kRows, int kColumns>
inline void write_columns(const MatmulArgs& args, int32_t block, int32_t c0,
                          const F (&sums)[kRows][kColumns]) {
  for (int c = 0; c < kColumns; ++c) {
    F column[kRows];
    for (int r = 0; r < kRows; ++r) column[r] = sums[r][c];
    write_column<kRows>(args, block, c0 + c, column);
  }
}

// The next number of columns when at most kMax go together: as even as possible, for the kernels
// with one or two columns are the slow ones.
template <int kMax>
inline int next_columns(int32_t left) {
  const int32_t steps = (left + kMax - 1) / kMax;
  return static_cast<int>((left + steps - 1) / steps);
}

}  // namespace
}  // namespace strata::tensor
