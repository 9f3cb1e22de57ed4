// bf16 weights times bf16 activations: every output one accumulator over the pairs of k in order,
// for any number of columns.
//
// Without an instruction for pairs of bf16 (Factor is float then), a pair costs more to unpack than
// to multiply. So gemm spreads activations out as floats first, a panel of columns at a time, and
// takes one row block at a time, so that the sums of several columns stay in registers and
// only weights are unpacked, once for all of these.
#pragma once

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/numbers.h"

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
    with_number<kBf16Columns>(
        n, [&](auto number) { bf16_tile<kRows, decltype(number)::value>(args, block, c); });
    c += n;
  }
}

// The sums of a row block with columns of n floats each. Asks ahead for a line with each pair: from
// memory 4 columns have 65 GOPS, without 46.
template <int kColumns>
inline void spread_sums(const uint16_t* w, const Factor* x, int64_t n, F* sums) {
  F acc[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) acc[c] = set1(0.0f);
  constexpr int64_t kAhead = 2048 / sizeof(uint16_t);
  for (int64_t k = 0; k < n; k += 2) {
    prefetch(w + 16 * k + kAhead);
    dot_each(acc, w + 16 * k, x + k, n);
  }
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) sums[c] = acc[c];
}

template <int kRows, int kColumns>
inline void spread_tile(const MatmulArgs& args, const Factor* x, int32_t block, int32_t c0) {
  F sums[kRows][kColumns];
  for (int r = 0; r < kRows; ++r) {
    const auto* w = reinterpret_cast<const uint16_t*>(args.tiles + (block + r) * args.block_bytes);
    spread_sums<kColumns>(w, x, int64_t{args.n_groups} * kGroup, sums[r]);
  }
  write_columns(args, block, c0, sums);
}

// With the n columns from c0 on, which are at x.
template <int kRows, int kMax>
inline void spread_blocks(const MatmulArgs& args, const Factor* x, int32_t block, int32_t c0,
                          int32_t n) {
  for (int32_t done = 0; done < n;) {
    const int step = next_columns<kMax>(n - done);
    with_number<kMax>(step, [&](auto number) {
      spread_tile<kRows, decltype(number)::value>(args, x, block, c0 + done);
    });
    done += step;
    x += step * int64_t{args.n_groups} * kGroup;
  }
}

template <int kMax>
void gemm_bf16_spread(const MatmulArgs& args) {
  auto* x = reinterpret_cast<float*>(args.scratch);
  const int64_t k = int64_t{args.n_groups} * kGroup;
  const int32_t panel = spread_columns(args.n_groups);
  for (int32_t c0 = 0; c0 < args.n_cols; c0 += panel) {
    const int32_t n = args.n_cols - c0 < panel ? args.n_cols - c0 : panel;
    for (int32_t c = 0; c < n; ++c) from_bf16(args.bf + (c0 + c) * args.bf_stride, k, x + c * k);
    int32_t b = 0;
    for (; b + 2 <= args.n_blocks; b += 2) spread_blocks<2, kMax>(args, x, b, c0, n);
    if (b < args.n_blocks) spread_blocks<1, kMax>(args, x, b, c0, n);
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
