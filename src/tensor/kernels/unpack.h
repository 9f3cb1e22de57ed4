// Packed tiles to registers, once per layout: stream and gemm are written over this.
#pragma once

#include "tensor/kernels/lanes.h"

namespace strata::tensor {
namespace {

constexpr bool has_min(Layout l) {
  return l == Layout::w4m || l == Layout::w5m || l == Layout::w4k || l == Layout::w5k;
}
constexpr bool has_fifth_bit(Layout l) {
  return l == Layout::w5s || l == Layout::w5m || l == Layout::w5k;
}
constexpr bool is_k45(Layout l) {
  return l == Layout::w4k || l == Layout::w5k;
}
constexpr int weight_bits(Layout l) {
  return l == Layout::w8s || l == Layout::w8p || l == Layout::w4t ? 8
         : l == Layout::w6k                                       ? 6
         : has_fifth_bit(l)                                       ? 5
                                                                  : 4;
}

// What a tile has once: the super scales of the K-quants.
template <Layout kLayout>
struct TileHead {
  F d, d_min;
  inline explicit TileHead(const uint8_t* tile) {
    if constexpr (is_k45(kLayout)) {
      d = load_halves(tile);
      d_min = sub(set1(0.0f), load_halves(tile + 32));
    } else if constexpr (kLayout == Layout::w6k) {
      d = load_halves(tile);
    }
  }
};

// Scale and min of group g of a tile.
template <Layout kLayout>
inline F scale_of(const TileHead<kLayout>& head, const uint8_t* tile, int g) {
  if constexpr (is_k45(kLayout)) return mul(head.d, load_uint8(tile + kKHeadScales + 32 * g));
  if constexpr (kLayout == Layout::w6k) return head.d;
  return load_halves(tile + 32 * g);
}
template <Layout kLayout>
inline F min_of(const TileHead<kLayout>& head, const uint8_t* tile, int g) {
  if constexpr (is_k45(kLayout)) {
    return mul(head.d_min, load_uint8(tile + kKHeadScales + 32 * g + 16));
  }
  return load_halves(tile + 64 + 32 * g);
}
// w6k: the integer scales of the first and the last 16 k.
template <int kHalf>
inline I sub_scale_of(const uint8_t* tile, int g) {
  return load_int8(tile + kKHeadScales + 32 * g + 16 * kHalf);
}

template <int kRegister>
inline U with_fifth_bit(U nibbles, U plane) {
  return or_masked<16>(nibbles, shift_bytes_apart<4 - kRegister>(plane));
}
template <int kField>
inline U with_upper_bits(U nibbles, U plane) {
  return or_masked<48>(nibbles, shift_bytes_apart<4 - 2 * kField>(plane));
}

// The eight registers of a group.
template <Layout kLayout>
inline void registers_of(const uint8_t* quants, const Table& table, U (&w)[8]) {
  if constexpr (kLayout == Layout::w8s) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) w[j] = load_bytes(quants + 64 * j);
    return;
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const U stored = load_bytes(quants + 64 * j);
    w[j] = low_nibbles(stored);
    w[j + 4] = high_nibbles(stored);
  }
  if constexpr (kLayout == Layout::w4t) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) w[j] = look_up(table, w[j]);
  }
  if constexpr (has_fifth_bit(kLayout)) {
    const U plane = load_bytes(quants + 256);
    w[0] = with_fifth_bit<0>(w[0], plane);
    w[1] = with_fifth_bit<1>(w[1], plane);
    w[2] = with_fifth_bit<2>(w[2], plane);
    w[3] = with_fifth_bit<3>(w[3], plane);
    w[4] = with_fifth_bit<4>(w[4], plane);
    w[5] = with_fifth_bit<5>(w[5], plane);
    w[6] = with_fifth_bit<6>(w[6], plane);
    w[7] = with_fifth_bit<7>(w[7], plane);
  }
  if constexpr (kLayout == Layout::w6k) {
    const U low = load_bytes(quants + 256);
    const U high = load_bytes(quants + 320);
    w[0] = with_upper_bits<0>(w[0], low);
    w[1] = with_upper_bits<1>(w[1], low);
    w[2] = with_upper_bits<2>(w[2], low);
    w[3] = with_upper_bits<3>(w[3], low);
    w[4] = with_upper_bits<0>(w[4], high);
    w[5] = with_upper_bits<1>(w[5], high);
    w[6] = with_upper_bits<2>(w[6], high);
    w[7] = with_upper_bits<3>(w[7], high);
  }
}

// Bits 0..2 of register kRegister below its upper five.
template <int kRegister>
inline U with_lower_bits(U upper, const U (&planes)[3]) {
  const U two = or_masked<3>(shift_bytes_apart<3>(upper),
                             shift_bytes_apart<-2 * (kRegister % 4)>(planes[kRegister / 4]));
  return or_masked<4>(two, shift_bytes_apart<2 - kRegister>(planes[2]));
}

// The tiles of one row block, and the lower bits of a w8p.
struct BlockPlace {
  const uint8_t* tile;
  const uint8_t* lower;
};
template <Layout kLayout>
inline BlockPlace place_of(const MatmulArgs& args, int32_t block) {
  const uint8_t* tile = args.tiles + block * args.block_bytes;
  if constexpr (kLayout != Layout::w8p) return {tile, nullptr};
  return {tile + kPlanesHead, args.lower + block * args.lower_bytes};
}

// The eight registers of group `group` of a row block, whose upper or only bits are at `quants`.
template <Layout kLayout>
inline void registers_at(const uint8_t* quants, const uint8_t* lower, int32_t group,
                         const Table& table, U (&w)[8]) {
  if constexpr (kLayout != Layout::w8p) {
    registers_of<kLayout>(quants, table, w);
    return;
  }
  registers_of<Layout::w5s>(quants, table, w);
  const uint8_t* p = lower + int64_t{group} * kLowerBytes;
  const U planes[3] = {load_bytes(p), load_bytes(p + 64), load_bytes(p + 128)};
  w[0] = with_lower_bits<0>(w[0], planes);
  w[1] = with_lower_bits<1>(w[1], planes);
  w[2] = with_lower_bits<2>(w[2], planes);
  w[3] = with_lower_bits<3>(w[3], planes);
  w[4] = with_lower_bits<4>(w[4], planes);
  w[5] = with_lower_bits<5>(w[5], planes);
  w[6] = with_lower_bits<6>(w[6], planes);
  w[7] = with_lower_bits<7>(w[7], planes);
}

// What the zero point adds to a group's sum: -2^offset_log2 times the activations' sum.
template <Layout kLayout>
inline I start_at(int32_t neg_sum) {
  constexpr int kOffset = kLayoutInfo[static_cast<int>(kLayout)].offset_log2;
  constexpr bool kRemoved = kDotRemovesOffset && weight_bits(kLayout) == 8;
  if constexpr (kOffset < 0 || kRemoved) return int_set1(0);
  return shift_left<(kOffset < 0 ? 0 : kOffset)>(int_set1(neg_sum));
}

// sum + the products of registers [kFrom, kTo) of a group with one column.
template <Layout kLayout, int kFrom, int kTo>
inline I add_products(I sum, const U (&w)[8], const int8_t* q) {
  constexpr int kBits = weight_bits(kLayout);
  constexpr int kRun = kNarrowRun<kBits> > kTo - kFrom ? kTo - kFrom : kNarrowRun<kBits>;
  if constexpr (kRun > 0) {
#pragma GCC unroll 8
    for (int from = kFrom; from < kTo; from += kRun) {
      Narrow part = narrow_dot(w[from], broadcast(q + 4 * from));
#pragma GCC unroll 8
      for (int j = from + 1; j < from + kRun; ++j) {
        part = narrow_add(part, narrow_dot(w[j], broadcast(q + 4 * j)));
      }
      sum = int_add(sum, widen(part));
    }
    return sum;
  } else {
#pragma GCC unroll 8
    for (int j = kFrom; j < kTo; ++j) sum = dot<kBits>(sum, w[j], broadcast(q + 4 * j));
    return sum;
  }
}

}  // namespace
}  // namespace strata::tensor
