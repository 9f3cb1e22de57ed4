// Few columns (decode, small batches): reads each tile once, at the speed of the memory, and
// applies all columns while its weights are in registers.
#pragma once

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/unpack.h"

namespace strata::tensor {
namespace {

inline void prefetch_planes(const MatmulArgs& args, const uint8_t* upper, const uint8_t* lower,
                            int32_t group) {
#pragma GCC unroll 4
  for (int i = 0; i < 256; i += 64) prefetch(upper + args.upper_ahead + i);
  const uint8_t* p = lower + int64_t{group} * kLowerBytes + args.lower_ahead;
#pragma GCC unroll 4
  for (int i = 0; i < kLowerBytes; i += 64) prefetch(p + i);
}

// sum + the products of registers [kFrom, kTo) of a group with one column.
template <Layout kLayout, int kFrom, int kTo>
inline I add_products(I sum, const U (&w)[8], const int8_t* q) {
#pragma GCC unroll 8
  for (int j = kFrom; j < kTo; ++j) {
    sum = dot<weight_bits(kLayout)>(sum, w[j], broadcast(q + 4 * j));
  }
  return sum;
}

// The int32 sum of one group for one column.
template <Layout kLayout>
inline I group_dot(const U (&w)[8], const uint8_t* tile, int g, const int8_t* q,
                   const GroupMeta& meta) {
  if constexpr (kLayout == Layout::w6k) {
    const I low = add_products<kLayout, 0, 4>(start_at<kLayout>(meta.neg_sum_lo), w, q);
    const I high =
        add_products<kLayout, 4, 8>(start_at<kLayout>(meta.neg_sum - meta.neg_sum_lo), w, q);
    return int_add(int_mul(low, sub_scale_of<0>(tile, g)), int_mul(high, sub_scale_of<1>(tile, g)));
  }
  return add_products<kLayout, 0, 8>(start_at<kLayout>(meta.neg_sum), w, q);
}

// One row block times a few columns: the sums stay in registers.
template <Layout kLayout, int kColumns>
inline void one_block(const MatmulArgs& args, BlockPlace place, const Table& table,
                      F (&acc)[kColumns]) {
  constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kLayout)];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) acc[c] = set1(0.0f);
  const uint8_t* tile = place.tile;
  const int8_t* q = args.q;
  const GroupMeta* meta = args.meta;
  const int64_t q_stride = args.q_stride;
  const int64_t meta_stride = args.meta_stride;
  for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
    const TileHead<kLayout> head(tile);
    prefetch_ahead<kLayout>(tile, kInfo.head_bytes);
    const uint8_t* quants = tile + kInfo.head_bytes;
#pragma GCC unroll 2
    for (int g = 0; g < kInfo.tile_groups; ++g) {
      U w[8];
      registers_of(group_at<kLayout>(quants, place.lower, t + g, table), w);
      prefetch_ahead<kLayout>(quants, kInfo.group_bytes);
      if constexpr (kLayout == Layout::w8p) prefetch_planes(args, quants, place.lower, t + g);
      const F scale = scale_of(head, tile, g);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const GroupMeta& m = meta[c * meta_stride];
        const F sum = to_float(group_dot<kLayout>(w, tile, g, q + c * q_stride, m));
        acc[c] = fma(sum, mul(scale, set1(m.scale)), acc[c]);
      }
      if constexpr (has_min(kLayout)) {
        const F min = min_of(head, tile, g);
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          acc[c] = fma(min, set1(meta[c * meta_stride].scaled_sum), acc[c]);
        }
      }
      quants += kInfo.group_bytes;
      q += kGroup;
      ++meta;
    }
    tile += tile_bytes(kLayout);
  }
}

// Blocks [block, block + 1], or + 2 where gated, times columns [c0, c0 + kColumns).
template <Layout kLayout, int kColumns>
inline void unit_times_columns(const MatmulArgs& args, const Table& table, int32_t block,
                               int32_t c0) {
  MatmulArgs part = args;
  part.q += c0 * args.q_stride;
  part.meta += c0 * args.meta_stride;
  F first[kColumns];
  one_block<kLayout, kColumns>(part, place_of<kLayout>(args, block), table, first);
  if (!args.gated) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) write_column<1>(args, block, c0 + c, &first[c]);
    return;
  }
  F second[kColumns];
  one_block<kLayout, kColumns>(part, place_of<kLayout>(args, block + 1), table, second);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const F sums[2] = {first[c], second[c]};
    write_column<2>(args, block, c0 + c, sums);
  }
}

template <Layout kLayout>
void stream(const MatmulArgs& args) {
  constexpr int kMax = kStreamColumns;
  const Table table = load_table(args.table);
  const int32_t step = args.gated ? 2 : 1;
  for (int32_t b = 0; b < args.n_blocks; b += step) {
    for (int32_t c = 0; c < args.n_cols;) {
      const int n = next_columns<kMax>(args.n_cols - c);
      with_number<kMax>(n, [&](auto number) {
        unit_times_columns<kLayout, decltype(number)::value>(args, table, b, c);
      });
      c += n;
    }
  }
}

}  // namespace
}  // namespace strata::tensor
