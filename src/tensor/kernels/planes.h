// 8-bit weights in two planes (w8p): an upper bound of the products from the upper plane alone.
#pragma once

#include "tensor/kernels/row_blocks.h"

namespace strata::tensor {
namespace {

template <int kColumns>
inline void screen_block(const ScreenArgs& args, int32_t block, int32_t c0) {
  constexpr Layout kUpper = Layout::w5h;
  constexpr int kTileGroups = kLayoutInfo[static_cast<int>(kUpper)].tile_groups;
  const uint8_t* tile = args.upper + block * args.block_bytes;
  const F norm_of_rows = max(load_halves(tile), set1(kLeastNorm));
  tile += kPlanesHead;
  const ScreenGroup* group = args.groups + c0 * args.group_stride;
  F near[kColumns];
  F far[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    near[c] = mul(load(args.dots + (c0 + c) * args.dots_stride + block * kRowBlock), set1(8.0f));
    far[c] = set1(kScreenUnderflow);
  }
  for (int32_t t = 0; t < args.n_groups; t += kTileGroups, tile += tile_bytes(kUpper)) {
    const TileHead<kUpper> head(tile);
#pragma GCC unroll 2
    for (int g = 0; g < kTileGroups; ++g, ++group) {
      const F scale = scale_of(head, tile, g);
      const F magnitude = abs(scale);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const ScreenGroup& own = group[c * args.group_stride];
        near[c] = fma(scale, set1(own.centre), near[c]);
        far[c] = fma(magnitude, set1(own.reach), far[c]);
      }
    }
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
    for (int32_t c = 0; c < args.n_cols;) {
      const int n = next_columns<kScreenColumns>(args.n_cols - c);
      with_number<kScreenColumns>(
          n, [&](auto number) { screen_block<decltype(number)::value>(args, b, c); });
      c += n;
    }
  }
}

}  // namespace
}  // namespace strata::tensor
