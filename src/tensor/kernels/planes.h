// 8-bit weights in two planes (w8p): an upper bound of the products from the upper plane alone.
#pragma once

#include "tensor/kernels/row_blocks.h"

namespace strata::tensor {
namespace {

constexpr int kScreenColumns = 2;  // most steps have one or two, and each column has two sums

template <int kColumns>
inline void screen_block(const ScreenArgs& args, int32_t block, int32_t c0) {
  constexpr Layout kUpper = Layout::w5s;
  constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kUpper)];
  const Table none = load_table(nullptr);
  const uint8_t* tile = args.upper + block * args.block_bytes;
  const F norm_of_rows = load_halves(tile);
  tile += kPlanesHead;
  F near[kColumns];
  F far[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    near[c] = set1(0.0f);
    far[c] = set1(kScreenUnderflow);
  }
  const int8_t* q = args.q + c0 * args.q_stride;
  const GroupMeta* meta = args.meta + c0 * args.meta_stride;
  const float* norms = args.norms + c0 * args.norm_stride;
  for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
    const TileHead<kUpper> head(tile);
    prefetch_ahead<kUpper>(tile, kInfo.head_bytes);
    const uint8_t* quants = tile + kInfo.head_bytes;
#pragma GCC unroll 2
    for (int g = 0; g < kInfo.tile_groups; ++g) {
      I sums[kColumns];
      sums_of_upper(quants, none, q, args.q_stride, meta, args.meta_stride, sums);
      const F scale = scale_of(head, tile, g);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const GroupMeta& m = meta[c * args.meta_stride];
        const F dot = to_float(sums[c]);
        near[c] = fma(dot, mul(scale, set1(8.0f * m.scale)), near[c]);
        near[c] = fma(scale, set1(3.5f * m.scaled_sum), near[c]);
        far[c] = fma(abs(scale), set1(norms[c * args.norm_stride]), far[c]);
      }
      quants += kInfo.group_bytes;
      q += kGroup;
      ++meta;
      ++norms;
    }
    tile += tile_bytes(kUpper);
  }
  const F factor = mul(norm_of_rows, set1(args.margin));
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const int64_t at = (c0 + c) * args.block_stride + block;
    args.likely[at] = maximum(near[c]);
    args.bound[at] = maximum(fma(far[c], factor, near[c]));
  }
}

void screen(const ScreenArgs& args) {
  for (int32_t b = 0; b < args.n_blocks; ++b) {
    int32_t c = 0;
    for (; c + kScreenColumns <= args.n_cols; c += kScreenColumns) {
      screen_block<kScreenColumns>(args, b, c);
    }
    for (; c < args.n_cols; ++c) screen_block<1>(args, b, c);
  }
}

}  // namespace
}  // namespace strata::tensor
