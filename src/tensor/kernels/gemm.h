// Many columns (prefill): unpacks two row blocks once into scratch, then multiplies them with
// all columns, a few at a time, everything in registers.
#pragma once

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/unpack.h"

namespace strata::tensor {
namespace {

// Scratch of one group: registers of all row blocks, then scales, then mins or integer sub-scales.
template <Layout kLayout, int kRows>
struct Unpacked {
  static constexpr int kScales = kRows * 512;
  static constexpr int kMins = kScales + kRows * 64;
  static constexpr int kBytes = kMins + (kLayout == Layout::w6k ? kRows * 128
                                         : has_min(kLayout)     ? kRows * 64
                                                                : 0);
};

template <Layout kLayout, int kRows>
inline void unpack_blocks(const MatmulArgs& args, int32_t first, const Table& table, uint8_t* to) {
  using Place = Unpacked<kLayout, kRows>;
  constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kLayout)];
  for (int r = 0; r < kRows; ++r) {
    const BlockPlace from = place_of<kLayout>(args, first + r);
    const uint8_t* tile = from.tile;
    uint8_t* out = to;
    for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
      const TileHead<kLayout> head(tile);
      for (int g = 0; g < kInfo.tile_groups; ++g) {
        U w[8];
        registers_of(group_at<kLayout>(tile + kInfo.head_bytes + g * kInfo.group_bytes, from.lower,
                                       t + g, table),
                     w);
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) store_bytes(out + 64 * (j * kRows + r), w[j]);
        store(reinterpret_cast<float*>(out + Place::kScales + 64 * r), scale_of(head, tile, g));
        if constexpr (has_min(kLayout)) {
          store(reinterpret_cast<float*>(out + Place::kMins + 64 * r), min_of(head, tile, g));
        }
        if constexpr (kLayout == Layout::w6k) {
          store_int(out + Place::kMins + 128 * r, sub_scale_of<0>(tile, g));
          store_int(out + Place::kMins + 128 * r + 64, sub_scale_of<1>(tile, g));
        }
        out += Place::kBytes;
      }
      tile += tile_bytes(kLayout);
    }
  }
}

// sum += the products of registers [kFrom, kTo) of a group.
template <Layout kLayout, int kRows, int kColumns, int kFrom, int kTo>
inline void add_dots(const uint8_t* w, const int8_t* q, int64_t q_stride,
                     I (&sum)[kRows][kColumns]) {
  constexpr int kBits = weight_bits(kLayout);
#pragma GCC unroll 8
  for (int j = kFrom; j < kTo; ++j) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const U weights = load_bytes(w + 64 * (j * kRows + r));
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        sum[r][c] = dot<kBits>(sum[r][c], weights, broadcast(q + c * q_stride + 4 * j));
      }
    }
  }
}

// The int32 sums of registers [kFrom, kTo) of a group; neg_sum of the activations there.
template <Layout kLayout, int kRows, int kColumns, int kFrom, int kTo>
inline void part_of_group(const uint8_t* w, const int8_t* q, int64_t q_stride,
                          const int32_t (&neg_sum)[kColumns], I (&sum)[kRows][kColumns]) {
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const I start = start_at<kLayout>(neg_sum[c]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sum[r][c] = start;
  }
  add_dots<kLayout, kRows, kColumns, kFrom, kTo>(w, q, q_stride, sum);
}

template <Layout kLayout, int kRows, int kColumns>
inline void dots_of_group(const uint8_t* w, const int8_t* q, int64_t q_stride,
                          const GroupMeta* meta, int64_t meta_stride, I (&sum)[kRows][kColumns]) {
  using Place = Unpacked<kLayout, kRows>;
  int32_t neg_sum[kColumns];
  if constexpr (kLayout != Layout::w6k) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) neg_sum[c] = meta[c * meta_stride].neg_sum;
    part_of_group<kLayout, kRows, kColumns, 0, 8>(w, q, q_stride, neg_sum, sum);
    return;
  }
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) neg_sum[c] = meta[c * meta_stride].neg_sum_lo;
  part_of_group<kLayout, kRows, kColumns, 0, 4>(w, q, q_stride, neg_sum, sum);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) neg_sum[c] = meta[c * meta_stride].neg_sum - neg_sum[c];
  I high[kRows][kColumns];
  part_of_group<kLayout, kRows, kColumns, 4, 8>(w, q, q_stride, neg_sum, high);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const I scale_low = load_int(w + Place::kMins + 128 * r);
    const I scale_high = load_int(w + Place::kMins + 128 * r + 64);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      sum[r][c] = int_add(int_mul(sum[r][c], scale_low), int_mul(high[r][c], scale_high));
    }
  }
}

// The sums of row blocks that were unpacked together.
template <Layout kLayout, int kRows, int kColumns>
inline void sums_of(const MatmulArgs& args, const uint8_t* w, int32_t c0,
                    F (&sums)[kColumns][kRows]) {
  using Place = Unpacked<kLayout, kRows>;
  F acc[kColumns][kRows];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) acc[c][r] = set1(0.0f);
  }
  const int8_t* q = args.q + c0 * args.q_stride;
  const GroupMeta* meta = args.meta + c0 * args.meta_stride;
  const int64_t q_stride = args.q_stride;
  const int64_t meta_stride = args.meta_stride;
  for (int32_t g = 0; g < args.n_groups; ++g) {
    I sum[kRows][kColumns];
    dots_of_group<kLayout, kRows, kColumns>(w, q, q_stride, meta, meta_stride, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F scale = load(reinterpret_cast<const float*>(w + Place::kScales + 64 * r));
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const GroupMeta& m = meta[c * meta_stride];
        acc[c][r] = fma(to_float(sum[r][c]), mul(scale, set1(m.scale)), acc[c][r]);
      }
    }
    if constexpr (has_min(kLayout)) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const F min = load(reinterpret_cast<const float*>(w + Place::kMins + 64 * r));
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          acc[c][r] = fma(min, set1(meta[c * meta_stride].scaled_sum), acc[c][r]);
        }
      }
    }
    w += Place::kBytes;
    q += kGroup;
    ++meta;
  }
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums[c][r] = acc[c][r];
  }
}

template <Layout kLayout, int kRows, int kColumns>
inline void multiply(const MatmulArgs& args, const uint8_t* w, int32_t block, int32_t c0) {
  F sums[kColumns][kRows];
  sums_of<kLayout, kRows, kColumns>(args, w, c0, sums);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) write_column<kRows>(args, block, c0 + c, sums[c]);
}

template <Layout kLayout, int kRows>
inline void gemm_blocks(const MatmulArgs& args, int32_t block, const Table& table) {
  constexpr int kMax = gemm_columns(kLayout);
  unpack_blocks<kLayout, kRows>(args, block, table, args.scratch);
  NextBlocks next =
      blocks_behind<kRows>(args.tiles + block * args.block_bytes, args.block_bytes,
                           args.n_blocks - block - kRows, (args.n_cols + kMax - 1) / kMax);
  for (int32_t c = 0; c < args.n_cols;) {
    const int n = next_columns<kMax>(args.n_cols - c);
    next.step();
    with_number<kMax>(n, [&](auto number) {
      multiply<kLayout, kRows, decltype(number)::value>(args, args.scratch, block, c);
    });
    c += n;
  }
}

constexpr bool kByWords = false;

template <Layout kLayout>
void gemm(const MatmulArgs& args) {
  const Table table = load_table(args.table);
  int32_t b = 0;
  for (; b + 2 <= args.n_blocks; b += 2) gemm_blocks<kLayout, 2>(args, b, table);
  if (b < args.n_blocks) gemm_blocks<kLayout, 1>(args, b, table);
}

}  // namespace
}  // namespace strata::tensor
