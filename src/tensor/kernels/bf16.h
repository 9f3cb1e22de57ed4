// bf16 weights times bf16 activations: every output one accumulator over the pairs of k in order,
// for any number of columns.
#pragma once

#include "tensor/kernels/epilogue.h"

namespace strata::tensor {
namespace {

template <int kRows, int kColumns>
inline void bf16_tile(const MatmulArgs& args, int32_t block, int32_t c0) {
  const uint16_t* w[kRows];
  for (int r = 0; r < kRows; ++r) {
    w[r] = reinterpret_cast<const uint16_t*>(args.tiles + (block + r) * args.block_bytes);
  }
  const uint16_t* x = args.bf + c0 * args.bf_stride;
  F acc[kColumns][kRows];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) acc[c][r] = set1(0.0f);
  }
  const int64_t n = int64_t{args.n_groups} * kGroup;
  for (int64_t k = 0; k < n; k += 2) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        acc[c][r] = dot_bf16(acc[c][r], w[r] + 16 * k, x + c * args.bf_stride + k);
      }
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) write_column<kRows>(args, block, c0 + c, acc[c]);
}

template <int kRows>
inline void bf16_blocks(const MatmulArgs& args, int32_t block) {
  for (int32_t c = 0; c < args.n_cols;) {
    const int n = next_columns<kBf16Columns>(args.n_cols - c);
    switch (n) {
      case 1:
        bf16_tile<kRows, 1>(args, block, c);
        break;
      case 2:
        bf16_tile<kRows, 2>(args, block, c);
        break;
      case 3:
        bf16_tile < kRows, kBf16Columns<3 ? 1 : 3>(args, block, c);
        break;
      case 4:
        bf16_tile < kRows, kBf16Columns<4 ? 1 : 4>(args, block, c);
        break;
      case 5:
        bf16_tile < kRows, kBf16Columns<5 ? 1 : 5>(args, block, c);
        break;
      default:
        bf16_tile<kRows, kBf16Columns>(args, block, c);
        break;
    }
    c += n;
  }
}

void matmul_bf16(const MatmulArgs& args) {
  int32_t b = 0;
  for (; b + kBf16Rows <= args.n_blocks; b += kBf16Rows) bf16_blocks<kBf16Rows>(args, b);
  for (; b + 2 <= args.n_blocks; b += 2) bf16_blocks<2>(args, b);
  if (b < args.n_blocks) bf16_blocks<1>(args, b);
}

}  // namespace
}  // namespace strata::tensor
