// Packed tiles to registers, once per layout: stream and gemm are written over this.
#pragma once

#include "tensor/kernels/lanes.h"
#include "tensor/kernels/numbers.h"

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
  if (l == Layout::w5h) return 5;
  return has_bytes(l) ? 8 : l == Layout::w6k ? 6 : has_fifth_bit(l) ? 5 : 4;
}

// What a tile has once: the super scales of the 4- and 5-bit K-quants.
template <Layout kLayout>
struct TileHead {
  F d, d_min;
  inline explicit TileHead(const uint8_t* tile) {
    if constexpr (is_k45(kLayout)) {
      d = load_halves(tile);
      d_min = sub(set1(0.0f), load_halves(tile + 32));
    }
  }
};

// Scale and min of group g of a tile.
template <Layout kLayout>
inline F scale_of(const TileHead<kLayout>& head, const uint8_t* tile, int g) {
  if constexpr (is_k45(kLayout)) return mul(head.d, load_uint8(tile + kKHeadScales + 32 * g));
  if constexpr (kLayout == Layout::w6k) return load_halves(tile);
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

// Register kRegister of a group whose quants, nibbles first, are at `quants`.
template <Layout kLayout, int kRegister>
inline U register_of(const uint8_t* quants, const Table& table) {
  if constexpr (kLayout == Layout::w8s) return load_bytes(quants + 64 * kRegister);
  constexpr int kPlane = kRegister / 4;
  constexpr int kField = kRegister % 4;
  const U stored = load_bytes(quants + 64 * kField);
  if constexpr (kLayout == Layout::w5h) {
    constexpr int kShift = kPlane == 0 ? 1 : -3;
    const U above = masked<30>(shift_bytes_apart<kShift>(stored));
    return or_masked<1>(above, shift_bytes_apart<-kRegister>(load_bytes(quants + 256)));
  }
  const U nibbles = kPlane == 0 ? low_nibbles(stored) : high_nibbles(stored);
  if constexpr (kLayout == Layout::w4t) return look_up(table, nibbles);
  if constexpr (has_fifth_bit(kLayout)) {
    const U plane = load_bytes(quants + 256);
    return or_masked<16>(nibbles, shift_bytes_apart<4 - kRegister>(plane));
  }
  if constexpr (kLayout == Layout::w6k) {
    const U plane = load_bytes(quants + 256 + 64 * kPlane);
    return or_masked<48>(nibbles, shift_bytes_apart<4 - 2 * kField>(plane));
  }
  return nibbles;
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

// A group of a row block as it is packed.
template <Layout kLayout>
struct PackedGroup {
  const uint8_t* quants;  // its upper or only bits
  const uint8_t* lower;   // w8p: the lower bits
  const Table& table;

  template <int kRegister>
  inline U at() const {
    if constexpr (kLayout != Layout::w8p) return register_of<kLayout, kRegister>(quants, table);
    constexpr int kField = 64 * (kRegister % 4);
    const U high = load_bytes(quants + kField);
    const U low = load_bytes(lower + kField);
    return kRegister < 4 ? merged<240>(shift_bytes_apart<4>(high), low)
                         : merged<240>(high, shift_bytes_apart<-4>(low));
  }
  // w8p: the nibbles of a register.
  template <int kRegister>
  inline U high() const {
    return register_of<Layout::w4s, kRegister>(quants, table);
  }
  template <int kRegister>
  inline U low() const {
    return register_of<Layout::w4s, kRegister>(lower, table);
  }
};
template <Layout kLayout>
inline PackedGroup<kLayout> group_at(const uint8_t* quants, const uint8_t* lower, int32_t group,
                                     const Table& table) {
  if constexpr (kLayout != Layout::w8p) return {quants, nullptr, table};
  return {quants, lower + int64_t{group} * kLowerBytes, table};
}

// Its eight registers.
template <class Group>
[[gnu::always_inline]] inline void registers_of(const Group& group, U (&w)[8]) {
  unrolled<0, 8>([&](auto j) { w[j.value] = group.template at<j.value>(); });
}

// Some KiB ahead where weights are unpacked; plain loads run ahead by themselves.
template <Layout kLayout, int kAhead = 8192>
inline void prefetch_ahead(const uint8_t* p, int bytes) {
  if constexpr (kLayout == Layout::w8s || kLayout == Layout::w8p) return;
#pragma GCC unroll 8
  for (int i = 0; i < bytes; i += 64) prefetch(p + kAhead + i);
}

// Brings packed bytes of what follows into L2, a share with each step.
struct NextBlocks {
  const uint8_t* at = nullptr;
  int64_t bytes_a_step = 0;
  int64_t wanted = 0, asked = 0;  // bytes

  inline void step() {
    wanted += bytes_a_step;
    for (; asked < wanted; asked += 64) prefetch_l2(at + asked);
  }
};
// The row blocks behind kRows of `block_bytes`, as many again or what is left, in so many steps.
template <int kRows>
inline NextBlocks blocks_behind(const uint8_t* blocks, int64_t block_bytes, int32_t left,
                                int64_t steps) {
  if (left <= 0) return {};
  const int64_t bytes = (left < kRows ? left : kRows) * block_bytes;
  return {blocks + kRows * block_bytes, (bytes + steps - 1) / steps};
}

constexpr bool offset_removed(Layout l) {  // by `dot`
  return kDotRemovesOffset && weight_bits(l) == 8;
}
// What the zero point adds to a group's sum: -2^offset_log2 times the activations' sum.
template <Layout kLayout, bool kRemoved = offset_removed(kLayout)>
inline I start_at(int32_t neg_sum) {
  constexpr int kOffset = kLayoutInfo[static_cast<int>(kLayout)].offset_log2;
  if constexpr (kOffset < 0 || kRemoved) return int_set1(0);
  return shift_left<(kOffset < 0 ? 0 : kOffset)>(int_set1(neg_sum));
}

}  // namespace
}  // namespace strata::tensor
