// stream and gemm where vector registers are few (docs/engine/registers.md): the sums of a group
// have the registers, and its weights come one register at a time. Left to itself the compiler
// unpacks a group at once and spills a third of it.
#pragma once

#include <type_traits>

#include "tensor/kernels/epilogue.h"
#include "tensor/kernels/unpack.h"
#if defined(__AVXVNNI__)
#include "tensor/kernels/sums_vnni.h"
#else
#include "tensor/kernels/sums_avx2.h"
#endif

namespace strata::tensor {
namespace {

// A row block as it is packed. Calls body(group) for its groups in order, where a group says
//   at<j>()     its register j
//   even<j>(), odd<j>()  8 bits: that register's even and odd bytes as words
//   ahead<j>()  wants the j-th of what follows in memory
//   scale(), min()
//   half_scale<h>()  w6k: the integer scale of its first or last 16 k, as half_scale_of gives it
// kFromMemory: what follows is asked for here, and not by FollowingBlocks.
template <Layout kLayout, bool kFromMemory>
struct PackedBlock {
  static constexpr bool kInCache = false;
  static constexpr bool kCentred = false;  // its words: weight - 128
  const MatmulArgs& args;
  BlockPlace place;
  const Table& table;

  template <int kAhead>
  struct Group : PackedGroup<kLayout> {
    const MatmulArgs& args;
    const TileHead<kLayout>& head;
    const uint8_t* tile;
    int number;  // in the tile

    template <int kRegister>
    inline I even() const {
      return even_words(this->template at<kRegister>());
    }
    template <int kRegister>
    inline I odd() const {
      return odd_words(this->template at<kRegister>());
    }
    template <int kRegister>
    inline void ahead() const {
      constexpr int kGroupBytes = kLayoutInfo[static_cast<int>(kLayout)].group_bytes;
      if constexpr (!kFromMemory) return;
      if constexpr (kLayout == Layout::w8p) {  // its nibbles, those below behind those above
        prefetch_here(kRegister < 4 ? this->quants + args.upper_ahead + 64 * kRegister
                                    : this->lower + args.lower_ahead + 64 * (kRegister - 4));
      } else if constexpr (kLayout != Layout::w8s && 64 * kRegister < kGroupBytes) {
        prefetch_here(this->quants + kAhead + 64 * kRegister);  // plain loads run ahead themselves
      }
    }
    inline F scale() const { return scale_of(head, tile, number); }
    inline F min() const { return min_of(head, tile, number); }
    template <int kHalf>
    inline I half_scale() const {
      return half_scale_of<kHalf>(tile, number);
    }
  };

  template <int kColumns, class Body>
  [[gnu::always_inline]] inline void for_each_group(const Body& body) const {
    // The more columns, the longer a byte takes: with 4 from memory, Q4_0 has 173 GOPS, with 8 KiB
    // ahead 152.
    constexpr int kAhead = 8192 / kColumns;
    constexpr LayoutInfo kInfo = kLayoutInfo[static_cast<int>(kLayout)];
    const uint8_t* tile = place.tile;
    for (int32_t t = 0; t < args.n_groups; t += kInfo.tile_groups) {
      const TileHead<kLayout> head(tile);
      if constexpr (kFromMemory && kLayout == Layout::w8p) prefetch_here(tile + args.upper_ahead);
      if constexpr (kFromMemory) prefetch_ahead<kLayout, kAhead>(tile, kInfo.head_bytes);
      const uint8_t* quants = tile + kInfo.head_bytes;
#pragma GCC unroll 2
      for (int g = 0; g < kInfo.tile_groups; ++g) {
        const auto group = group_at<kLayout>(quants, place.lower, t + g, table);
        body(Group<kAhead>{group, args, head, tile, g});
        quants += kInfo.group_bytes;
      }
      tile += tile_bytes(kLayout);
    }
  }
};

// One row block times the first kColumns columns of args. kWords: args.q was spread.
template <Layout kLayout, bool kWords, int kColumns, class Block, class Next>
inline void sums_by_register(const Block& block, const MatmulArgs& args, Next& next,
                             F (&acc)[kColumns]) {
  const int8_t* q = args.q;
  const GroupMeta* meta = args.meta;
  const int64_t q_stride = args.q_stride;
  const int64_t meta_stride = args.meta_stride;
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) acc[c] = set1(0.0f);
  block.template for_each_group<kColumns>([&](const auto& group) {
    I sum[kColumns];
    sums_of_group<kLayout, kWords, Block::kCentred>(group, q, q_stride, meta, meta_stride, sum);
    const F scale = group.scale();
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      acc[c] = fma(to_float(sum[c]), mul(scale, set1(meta[c * meta_stride].scale)), acc[c]);
    }
    if constexpr (has_min(kLayout)) {
      const F min = group.min();
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        acc[c] = fma(min, set1(meta[c * meta_stride].scaled_sum), acc[c]);
      }
    }
    // From memory it costs a third: of Q5_0 with 4 columns 82 GOPS, without 130.
    if constexpr (Block::kInCache && kColumns > 2) keep_in_memory(acc);
    next.step();
    q += kWords ? 2 * kGroup : kGroup;
    ++meta;
  });
}

// A row block unpacked into scratch, where many columns share it. kAsWords: as words, centred.
template <Layout kLayout, bool kAsWords>
struct UnpackedBlock {
  static constexpr bool kInCache = true;
  static constexpr bool kCentred = kAsWords;
  static constexpr int kScales = kAsWords ? 1024 : 512;
  static constexpr int kRest = kScales + 64;  // minima, or the scales of halves
  static constexpr int kBytes = kRest + (kLayout == Layout::w6k ? 128 : has_min(kLayout) ? 64 : 0);
  int32_t n_groups;
  uint8_t* data;

  struct Group {
    const uint8_t* data;

    template <int kRegister>
    inline void ahead() const {}
    template <int kRegister>
    inline U at() const {
      static_assert(!kAsWords && kRegister < 8);
      return load_bytes(data + 64 * kRegister);
    }
    template <int kRegister>
    inline I even() const {
      if constexpr (kAsWords) {
        return load_int(data + 128 * kRegister);
      } else {
        return even_words(at<kRegister>());
      }
    }
    template <int kRegister>
    inline I odd() const {
      if constexpr (kAsWords) {
        return load_int(data + 128 * kRegister + 64);
      } else {
        return odd_words(at<kRegister>());
      }
    }
    inline F scale() const { return load(reinterpret_cast<const float*>(data + kScales)); }
    inline F min() const { return load(reinterpret_cast<const float*>(data + kRest)); }
    template <int kHalf>
    inline I half_scale() const {
      return load_int(data + kRest + 64 * kHalf);
    }
  };

  template <int kColumns, class Body>
  [[gnu::always_inline]] inline void for_each_group(const Body& body) const {
    const uint8_t* at = data;
    for (int32_t g = 0; g < n_groups; ++g, at += kBytes) body(Group{at});
  }
  template <class Block>
  inline void fill(const Block& from) const {
    uint8_t* to = data;
    from.template for_each_group<1>([&](const auto& group) {
      unrolled<0, 8>([&](auto j) {
        constexpr int kRegister = decltype(j)::value;
        if constexpr (kAsWords) {
          constexpr int kOffset = 1 << kLayoutInfo[static_cast<int>(kLayout)].offset_log2;
          const I even = group.template even<kRegister>();
          const I odd = group.template odd<kRegister>();
          store_int(to + 128 * kRegister, centred<kOffset>(even));
          store_int(to + 128 * kRegister + 64, centred<kOffset>(odd));
        } else {
          store_bytes(to + 64 * kRegister, group.template at<kRegister>());
        }
      });
      store(reinterpret_cast<float*>(to + kScales), group.scale());
      if constexpr (has_min(kLayout)) store(reinterpret_cast<float*>(to + kRest), group.min());
      if constexpr (kLayout == Layout::w6k) {
        store_int(to + kRest, group.template half_scale<0>());
        store_int(to + kRest + 64, group.template half_scale<1>());
      }
      to += kBytes;
    });
  }
};

// The row blocks that follow, in the one or two places where their bits are.
template <Layout kLayout>
struct FollowingBlocks {
  NextBlocks upper, lower;

  inline void step() {
    upper.step();
    if constexpr (kLayout == Layout::w8p) lower.step();
  }
};
struct NothingFollows {
  inline void step() {}
};

// The row blocks block_at(0) .. block_at(kRows - 1), which are blocks `first` .. of args, times all
// columns.
template <Layout kLayout, bool kWords, int kRows, class BlockAt, class Next>
inline void times_columns(const MatmulArgs& args, int32_t first, const BlockAt& block_at,
                          Next next) {
  for (int32_t c0 = 0; c0 < args.n_cols;) {
    const int n = next_columns<kStreamColumns>(args.n_cols - c0);
    MatmulArgs part = args;
    part.q += c0 * args.q_stride;
    part.meta += c0 * args.meta_stride;
    with_number<kStreamColumns>(n, [&](auto number) {
      constexpr int kColumns = decltype(number)::value;
      F sums[kRows][kColumns];
      for (int r = 0; r < kRows; ++r) {
        sums_by_register<kLayout, kWords>(block_at(r), part, next, sums[r]);
      }
      write_columns(args, first, c0, sums);
    });
    c0 += n;
  }
}

template <Layout kLayout>
void stream(const MatmulArgs& args) {
  const Table table = load_table(args.table);
  for (int32_t b = 0; b < args.n_blocks; b += args.gated ? 2 : 1) {
    const auto block_at = [&](int r) {
      return PackedBlock<kLayout, true>{args, place_of<kLayout>(args, b + r), table};
    };
    if (args.gated) {
      times_columns<kLayout, false, 2>(args, b, block_at, NothingFollows{});
    } else {
      times_columns<kLayout, false, 1>(args, b, block_at, NothingFollows{});
    }
  }
}

// Where unpacking 8 bits to words pays. Of Q8_0, without and with it: 16 columns 119 and 115 GOPS,
// 504 columns of k 576 116 and 124, of k 2,048 119 and 124, of k 4,864 119 and 119, of 14,336 115
// and 112.
constexpr int32_t kWordsFrom = 32;
constexpr int32_t kWordsGroups = 128;

inline bool words_pay(const MatmulArgs& args) {
  return args.n_cols >= kWordsFrom && args.n_groups <= kWordsGroups;
}

template <Layout kLayout, bool kWords, int kRows>
inline void gemm_blocks(const MatmulArgs& args, int32_t block, const Table& table) {
  const auto packed_at = [&](int r) {
    return PackedBlock<kLayout, false>{args, place_of<kLayout>(args, block + r), table};
  };
  const int32_t passes = (args.n_cols + kStreamColumns - 1) / kStreamColumns;
  const int64_t steps = passes * int64_t{kRows} * args.n_groups;
  // In a single pass plain loads run ahead by themselves.
  const bool runs_ahead = kLayout == Layout::w8s && passes == 1;
  const int32_t left = runs_ahead ? 0 : args.n_blocks - block - kRows;
  const FollowingBlocks<kLayout> next{
      blocks_behind<kRows>(args.tiles + block * args.block_bytes, args.block_bytes, left, steps),
      blocks_behind<kRows>(args.lower + block * args.lower_bytes, args.lower_bytes, left, steps)};
  const auto unpack_first = [&](auto as_words) {
    using Block = UnpackedBlock<kLayout, decltype(as_words)::value>;
    const auto unpacked_at = [&](int r) {
      return Block{args.n_groups, args.scratch + r * int64_t{args.n_groups} * Block::kBytes};
    };
    for (int r = 0; r < kRows; ++r) unpacked_at(r).fill(packed_at(r));
    times_columns<kLayout, kWords, kRows>(args, block, unpacked_at, next);
  };
  if constexpr (kWords) {
    if (words_pay(args)) return unpack_first(std::true_type{});
  }
  if constexpr (kLayout == Layout::w8s || (kLayout == Layout::w8p && kByWords && !kWords)) {
    times_columns<kLayout, kWords, kRows>(args, block, packed_at, next);  // little to unpack
  } else {
    unpack_first(std::false_type{});
  }
}

template <Layout kLayout, bool kWords>
inline void gemm_all(const MatmulArgs& args) {
  const Table table = load_table(args.table);
  int32_t b = 0;
  // Two row blocks of words fit L1 with the narrowest inputs only: of Q8_0 one at a time has 125
  // GOPS at 504 columns of k 576, two have 120.
  const bool together = !kWords || args.gated;
  for (; together && b + 2 <= args.n_blocks; b += 2)
    gemm_blocks<kLayout, kWords, 2>(args, b, table);
  for (; b < args.n_blocks; ++b) gemm_blocks<kLayout, kWords, 1>(args, b, table);
}

inline MatmulArgs columns_from(MatmulArgs args, int32_t c0) {
  args.n_cols -= c0;
  args.q += c0 * args.q_stride;
  args.meta += c0 * args.meta_stride;
  args.out += c0 * args.out_stride;
  return args;
}

// A panel of columns at a time, whose activations become words first.
template <Layout kLayout>
inline void gemm_by_words(const MatmulArgs& args) {
  const int32_t panel = word_columns(args.n_groups);
  const int64_t stride = int64_t{args.n_groups} * 2 * kGroup;
  auto* words = reinterpret_cast<int8_t*>(args.scratch);
  MatmulArgs part = args;
  part.scratch += panel * stride;
  part.q = words;
  part.q_stride = stride;
  for (int32_t c0 = 0; c0 < args.n_cols; c0 += panel) {
    part.n_cols = args.n_cols - c0 < panel ? args.n_cols - c0 : panel;
    // Nibbles in planes are as fast as words that are split again in every pass.
    if constexpr (kLayout == Layout::w8p) {
      if (!words_pay(part)) return gemm_all<kLayout, false>(columns_from(args, c0));
    }
    for (int32_t c = 0; c < part.n_cols; ++c) {
      const int8_t* q = args.q + (c0 + c) * args.q_stride;
      for (int32_t g = 0; g < args.n_groups; ++g) {
        spread_words(q + g * kGroup, words + c * stride + g * 2 * kGroup);
      }
    }
    part.meta = args.meta + c0 * args.meta_stride;
    part.out = args.out + c0 * args.out_stride;
    gemm_all<kLayout, true>(part);
  }
}

template <Layout kLayout>
void gemm(const MatmulArgs& args) {
  if constexpr (kByWords && weight_bits(kLayout) == 8) {
    gemm_by_words<kLayout>(args);
  } else {
    gemm_all<kLayout, false>(args);
  }
}

}  // namespace
}  // namespace strata::tensor
