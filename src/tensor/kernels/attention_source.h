// Where the tiles of attention find the keys and values of a chunk: in the pages (tensor/kv_page.h)
// or, when many tiles read int8 or int4, unpacked from them once.
#pragma once

#include "tensor/kernels/row_ops.h"

namespace strata::tensor {
namespace {

// Two elements of int4: n in the lower four bits, of what stands first, and in the upper ones; n is
// the whole number 2 n - 15.
struct Nibbles {
  uint8_t two;
};

template <class E>
constexpr int kElementBits = 8 * sizeof(E);
template <>
inline constexpr int kElementBits<Nibbles> = 4;

// The element that stands n elements behind, n even.
template <class E>
inline const E* behind(const E* element, int64_t n) {
  return element + n * kElementBits<E> / (8 * static_cast<int64_t>(sizeof(E)));
}

// A block of 32 elements as dot_each and unpack_pairs take it.
inline const uint16_t* block_at(const uint16_t* p) {
  return p;
}
inline const int8_t* block_at(const int8_t* p) {
  return p;
}
inline Wholes block_at(const Nibbles* p) {
  Wholes::Sixteen bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  const Wholes::Sixteen low = bytes & 15;
  const Wholes::Sixteen high = (bytes >> 4) & 15;
  return {low + low - 15, high + high - 15};
}

// Whether the caller's pages go on so far: the last query sees most.
inline bool seen_ahead(const AttentionArgs& args, int32_t position, int32_t distance) {
  return position + distance <= args.last_key[args.n_queries - 1];
}

template <class E>
struct PageSource {
  using Element = E;
  static constexpr bool kScaled = kElementBits<E> < 16;
  static constexpr bool kReadsAhead = true;

  const AttentionArgs& args;

  // A division and a rest of a power of two, without the instruction for any number.
  const Element* page(int32_t position) const {
    return reinterpret_cast<const Element*>(
        args.pages[position >> __builtin_ctz(static_cast<uint32_t>(args.page_positions))]);
  }
  int32_t slot(int32_t position) const { return position & (args.page_positions - 1); }
  // Of a block of 16 positions.
  const Element* keys(int32_t position) const {
    return behind(page(position), static_cast<int64_t>(slot(position)) * args.head_dim);
  }
  // Of a pair of positions; the next stands behind it for as long as a run goes on.
  const Element* values(int32_t position) const {
    return behind(keys(position), static_cast<int64_t>(args.page_positions) * args.head_dim);
  }
  int32_t run() const { return args.page_positions; }

  // What 16 keys, or 16 values, are multiplied with.
  const float* key_scales(int32_t position) const {
    const Element* end = behind(page(position), int64_t{2} * args.page_positions * args.head_dim);
    return reinterpret_cast<const float*>(end) + slot(position);
  }
  const float* value_scales(int32_t position) const {
    return key_scales(position) + args.page_positions;
  }
};

// Whole numbers of pages that were made bf16, which holds them exactly: the tiles make the same
// bits of them.
template <class E>
struct UnpackedSource {
  using Element = uint16_t;
  static constexpr bool kScaled = true;
  static constexpr bool kReadsAhead = false;

  const AttentionArgs& args;

  uint16_t* keys(int32_t position) const {
    return args.unpacked + static_cast<int64_t>(position - args.chunk_begin) * args.head_dim;
  }
  uint16_t* values(int32_t position) const { return keys(position + kAttentionChunk); }
  int32_t run() const { return kAttentionChunk; }
  const float* key_scales(int32_t position) const {
    return PageSource<E>{args}.key_scales(position);
  }
  const float* value_scales(int32_t position) const {
    return PageSource<E>{args}.value_scales(position);
  }
};

// Of the blocks of 16 positions [block_begin, block_end) of the chunk.
template <class E>
inline UnpackedSource<E> unpack_chunk(const AttentionArgs& args, int32_t block_begin,
                                      int32_t block_end) {
  const PageSource<E> pages{args};
  const UnpackedSource<E> unpacked{args};
  const int32_t n = 16 * args.head_dim;
  for (int32_t b = block_begin; b < block_end; ++b) {
    const int32_t position = args.chunk_begin + 16 * b;
    const int32_t ahead = b + 1 < block_end ? position + 16 : position;
    const E* next[] = {pages.keys(ahead), pages.values(ahead)};
    const E* from[] = {pages.keys(position), pages.values(position)};
    uint16_t* to[] = {unpacked.keys(position), unpacked.values(position)};
    for (int i = 0; i < 2; ++i) {
      for (int32_t at = 0; at < n; at += 64) {
        prefetch(behind(next[i], at));
        unpack_pairs(block_at(behind(from[i], at)), to[i] + at);
        unpack_pairs(block_at(behind(from[i], at + 32)), to[i] + at + 32);
      }
    }
  }
  return unpacked;
}

// Keys in the pages, whose first dims are the values, laid out as values are once for all queries.
struct SharedSource {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static constexpr bool kReadsAhead = false;

  const AttentionArgs& args;

  const uint16_t* keys(int32_t position) const { return PageSource<uint16_t>{args}.keys(position); }
  uint16_t* values(int32_t position) const {
    return args.unpacked + static_cast<int64_t>(position - args.chunk_begin) * args.value_dim;
  }
  int32_t run() const { return kAttentionChunk; }
};

// (p, d) (p, d + 1) (p + 1, d) (p + 1, d + 1), twice, become (p, d) (p + 1, d) (p, d + 1)
// (p + 1, d + 1).
using PositionPairs [[gnu::vector_size(16)]] = uint16_t;
inline PositionPairs pairs_of_positions(const uint16_t* keys) {
  PositionPairs pairs;
  __builtin_memcpy(&pairs, keys, sizeof pairs);
  return __builtin_shufflevector(pairs, pairs, 0, 2, 1, 3, 4, 6, 5, 7);
}

// Of the blocks of 16 positions [block_begin, block_end) of the chunk.
inline SharedSource values_of_keys(const AttentionArgs& args, int32_t block_begin,
                                   int32_t block_end) {
  const SharedSource shared{args};
  for (int32_t position = args.chunk_begin + 16 * block_begin;
       position < args.chunk_begin + 16 * block_end; position += 16) {
    const uint16_t* keys = shared.keys(position);
    uint16_t* values = shared.values(position);
    for (int32_t d = 0; d < args.value_dim; d += 2) {
#pragma GCC unroll 4
      for (int32_t p = 0; p < 16; p += 4) {
        const PositionPairs pairs = pairs_of_positions(keys + 16 * d + 2 * p);
        uint16_t* to = values + static_cast<int64_t>(p) * args.value_dim + 2 * d;
        __builtin_memcpy(to, &pairs, 8);
        __builtin_memcpy(to + 2 * args.value_dim, reinterpret_cast<const char*>(&pairs) + 8, 8);
      }
    }
  }
  return shared;
}

}  // namespace
}  // namespace strata::tensor
