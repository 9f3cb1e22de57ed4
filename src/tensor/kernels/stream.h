// Few columns (decode, small batches): reads each tile once, at the speed of the memory, and
// applies all columns while its weights are in registers.
#pragma once

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/unpack.h"

namespace strata::tensor {
namespace {

constexpr int kMaxStreamColumns = 32;

// 8 KiB ahead where weights are unpacked; plain loads run ahead by themselves.
template <Layout kLayout>
inline void prefetch_ahead(const uint8_t* p, int bytes) {
  if constexpr (kLayout == Layout::w8s) return;
#pragma GCC unroll 8
  for (int i = 0; i < bytes; i += 64) prefetch(p + 8192 + i);
}

// The int32 sum of one group for one column.
template <Layout kLayout>
inline I group_dot(const U (&w)[8], const uint8_t* tile, int g, const int8_t* q,
                   const GroupMeta& meta) {
  constexpr int kBits = weight_bits(kLayout);
  if constexpr (kLayout == Layout::w6k) {
    I low = start_at<kLayout>(meta.neg_sum_lo);
    I high = start_at<kLayout>(meta.neg_sum - meta.neg_sum_lo);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      low = dot<kBits>(low, w[j], q + 4 * j);
      high = dot<kBits>(high, w[j + 4], q + 16 + 4 * j);
    }
    return int_add(int_mul(low, sub_scale_of<0>(tile, g)), int_mul(high, sub_scale_of<1>(tile, g)));
  }
  I sum = start_at<kLayout>(meta.neg_sum);
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) sum = dot<kBits>(sum, w[j], q + 4 * j);
  return sum;
}

template <Layout kLayout>
inline F one_block_one_column(const MatmulArgs& args, const uint8_t* tile, const Table& table) {
  constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kLayout)];
  F acc = set1(0.0f);
  const int8_t* q = args.q;
  const GroupMeta* meta = args.meta;
  for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
    const TileHead<kLayout> head(tile);
    prefetch_ahead<kLayout>(tile, kInfo.head_bytes);
    const uint8_t* quants = tile + kInfo.head_bytes;
#pragma GCC unroll 2
    for (int g = 0; g < kInfo.tile_groups; ++g) {
      U w[8];
      registers_of<kLayout>(quants, table, w);
      prefetch_ahead<kLayout>(quants, kInfo.group_bytes);
      const F sum = to_float(group_dot<kLayout>(w, tile, g, q, *meta));
      acc = fma(sum, mul(scale_of(head, tile, g), set1(meta->scale)), acc);
      if constexpr (has_min(kLayout)) {
        acc = fma(min_of(head, tile, g), set1(meta->scaled_sum), acc);
      }
      quants += kInfo.group_bytes;
      q += kGroup;
      ++meta;
    }
    tile += tile_bytes(kLayout);
  }
  return acc;
}

// One group of kRows blocks times kColumns columns, added to acc[row][column] in L1.
template <Layout kLayout, int kRows, int kColumns>
inline void group_times_columns(const MatmulArgs& args, const U (&w)[kRows][8], const F* scale,
                                const F* min, const uint8_t* const* tile, int g, int32_t group,
                                int32_t c0, float* acc) {
  const int8_t* q = args.q + c0 * args.q_stride + int64_t{group} * kGroup;
  const GroupMeta* meta = args.meta + c0 * args.meta_stride + group;
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) {
      const GroupMeta& m = meta[c * args.meta_stride];
      const F sum = to_float(group_dot<kLayout>(w[r], tile[r], g, q + c * args.q_stride, m));
      float* place = acc + (r * kMaxStreamColumns + c0 + c) * 16;
      F a = fma(sum, mul(scale[r], set1(m.scale)), load(place));
      if constexpr (has_min(kLayout)) a = fma(min[r], set1(m.scaled_sum), a);
      store(place, a);
    }
  }
}

template <Layout kLayout, int kRows>
inline void blocks_times_columns(const MatmulArgs& args, const uint8_t* first, const Table& table,
                                 float* acc) {
  constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kLayout)];
  for (int i = 0; i < kRows * kMaxStreamColumns * 16; i += 16) store(acc + i, set1(0.0f));
  const uint8_t* tile[kRows];
  for (int r = 0; r < kRows; ++r) tile[r] = first + r * args.block_bytes;
  for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
    for (int g = 0; g < kInfo.tile_groups; ++g) {
      U w[kRows][8];
      F scale[kRows];
      F min[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const TileHead<kLayout> head(tile[r]);
        const uint8_t* quants = tile[r] + kInfo.head_bytes + g * kInfo.group_bytes;
        registers_of<kLayout>(quants, table, w[r]);
        prefetch_ahead<kLayout>(quants, kInfo.group_bytes);
        scale[r] = scale_of(head, tile[r], g);
        if constexpr (has_min(kLayout)) min[r] = min_of(head, tile[r], g);
      }
      int32_t c = 0;
      for (; c + kStreamColumns <= args.n_cols; c += kStreamColumns) {
        group_times_columns<kLayout, kRows, kStreamColumns>(args, w, scale, min, tile, g, t + g, c,
                                                            acc);
      }
      for (; c < args.n_cols; ++c) {
        group_times_columns<kLayout, kRows, 1>(args, w, scale, min, tile, g, t + g, c, acc);
      }
    }
    for (int r = 0; r < kRows; ++r) tile[r] += tile_bytes(kLayout);
  }
}

template <Layout kLayout>
void stream_one(const MatmulArgs& args) {
  const Table table = load_table(args.table);
  const int32_t step = args.gated ? 2 : 1;
  for (int32_t b = 0; b < args.n_blocks; b += step) {
    const uint8_t* tile = args.tiles + b * args.block_bytes;
    F acc[2];
    acc[0] = one_block_one_column<kLayout>(args, tile, table);
    if (args.gated) {
      acc[1] = one_block_one_column<kLayout>(args, tile + args.block_bytes, table);
      write_column<2>(args, b, 0, acc);
    } else {
      write_column<1>(args, b, 0, acc);
    }
  }
}

template <Layout kLayout>
void stream(const MatmulArgs& args) {
  if (args.n_cols == 1) return stream_one<kLayout>(args);
  // Two blocks share each activation; 8-bit weights stay memory operands, one block is better.
  constexpr int kRows = kLayout == Layout::w8s ? 1 : kStreamRows;
  const Table table = load_table(args.table);
  alignas(64) float acc[2 * kMaxStreamColumns * 16];
  constexpr int kBlockFloats = kMaxStreamColumns * 16;
  for (int32_t b = 0; b < args.n_blocks; b += 2) {
    const uint8_t* tiles = args.tiles + b * args.block_bytes;
    const bool two = b + 2 <= args.n_blocks;
    if (two && kRows == 2) {
      blocks_times_columns<kLayout, kRows>(args, tiles, table, acc);
    } else {
      blocks_times_columns<kLayout, 1>(args, tiles, table, acc);
      if (two) {
        blocks_times_columns<kLayout, 1>(args, tiles + args.block_bytes, table, acc + kBlockFloats);
      }
    }
    for (int32_t c = 0; c < args.n_cols; ++c) {
      const F sums[2] = {load(acc + 16 * c), two ? load(acc + kBlockFloats + 16 * c) : set1(0.0f)};
      if (two) {
        write_column<2>(args, b, c, sums);
      } else {
        write_column<1>(args, b, c, sums);
      }
    }
  }
}

}  // namespace
}  // namespace strata::tensor
