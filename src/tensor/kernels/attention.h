// Attention of up to kAttentionMaxQueries queries with one chunk of keys, over sixteen lanes.
// Scores: lanes are positions, dim pairs in order. Values: lanes are dims, position pairs in order
// of absolute position, so the bits do not depend on which queries share a call.
//
// While the scores of a chunk are computed its values come from memory, and while those are summed
// the keys of the next chunk, each in the order of memory: in bf16 into L2, for either is several
// times L1, in int8 and int4 into L1 (docs/engine/attention.md, measured with 64 and 256 dims).
//
// The scales of int8 and int4 are multiplied in where they are few: a key's into the sum over dims,
// a value's into the weight of its position.
#pragma once

#include <type_traits>

#include "tensor/kernels/attention_source.h"
#include "tensor/kernels/numbers.h"

namespace strata::tensor {
namespace {

// A group of queries that go through the tiles together.
struct QueryTile {
  int32_t first;        // query
  int32_t n;            // queries
  int32_t block_begin;  // blocks of 16 positions of the chunk that any of them sees
  int32_t block_end;
};

// A row of scores becomes its weights in place; a Factor may be shorter than a float.
constexpr int64_t kWeightStride = kAttentionChunk * sizeof(float) / sizeof(Factor);

// The bf16 queries of a tile as factors: as they are, or spread out in the scratch.
template <class To>
inline const To* query_factors(const AttentionArgs& args, const QueryTile& tile) {
  const uint16_t* q = args.q + static_cast<int64_t>(tile.first) * args.head_dim;
  if constexpr (std::is_same_v<To, uint16_t>) {
    return q;
  } else {
    from_bf16(q, static_cast<int64_t>(tile.n) * args.head_dim, args.factors);
    return args.factors;
  }
}

template <int kTokens, int kQueries, class Source>
inline void store_scores(const AttentionArgs& args, const Source& source, int32_t first_query,
                         int32_t block, const F (&acc)[kTokens][kQueries]) {
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
    const int32_t at = 16 * (block + t);
    F scale = set1(args.scale);
    if constexpr (Source::kScaled) {
      scale = mul(load(source.key_scales(args.chunk_begin + at)), scale);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      store(args.scores + static_cast<int64_t>(first_query + i) * kAttentionChunk + at,
            mul(acc[t][i], scale));
    }
  }
}

template <class Element>
inline void read_ahead(const Element* p) {
  if constexpr (kElementBits<Element> == 16) return prefetch_l2(p);
  prefetch(p);
}

template <int kTokens, int kQueries, class Source>
inline void score_tile(const AttentionArgs& args, const Source& source, const Factor* q,
                       int32_t first_query, int32_t block) {
  using Element = typename Source::Element;
  const Element* k[kTokens];
  const Element* values[kTokens];  // of these keys, read ahead
  for (int t = 0; t < kTokens; ++t) {
    const int32_t position = args.chunk_begin + 16 * (block + t);
    k[t] = source.keys(position);
    values[t] = source.values(position);
  }
  constexpr int kPairs = 64 * 8 / (32 * kElementBits<Element>);  // of dims in a cache line
  F acc[kTokens][kQueries];
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) acc[t][i] = set1(0.0f);
  }
  for (int32_t d = 0; d < args.head_dim; d += 2 * kPairs) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      if constexpr (Source::kReadsAhead) read_ahead(behind(values[t], 16 * d));
#pragma GCC unroll 4
      for (int i = 0; i < kPairs; ++i) {
        const int32_t at = d + 2 * i;
        dot_each(acc[t], block_at(behind(k[t], 16 * at)), q + at, args.head_dim);
      }
    }
  }
  store_scores(args, source, first_query, block, acc);
}

template <int kQueries, class Source>
inline void scores_of(const AttentionArgs& args, const Source& source, const QueryTile& tile) {
  constexpr int kTokens = attention_tokens(kQueries);
  const Factor* q = query_factors<Factor>(args, tile);
  int32_t block = tile.block_begin;
  for (; block + kTokens <= tile.block_end; block += kTokens) {
    score_tile<kTokens, kQueries>(args, source, q, tile.first, block);
  }
  for (; block < tile.block_end; ++block) {
    score_tile<1, kQueries>(args, source, q, tile.first, block);
  }
}

// Turns the scores of one query into weights in place, zero where a key is not seen, over the
// blocks of the tile; also max and sum. Times the scales of the values, where they have any.
template <class Source>
inline void weights_of(const AttentionArgs& args, const Source& source, const QueryTile& tile,
                       int32_t query) {
  float* scores = args.scores + static_cast<int64_t>(query) * kAttentionChunk;
  const int32_t first = args.first_key[query] - args.chunk_begin;
  const int32_t last = args.last_key[query] - args.chunk_begin;
  // Most blocks are seen whole.
  const auto is_cut = [&](int32_t b) { return first > 16 * b || last < 16 * b + 15; };
  F top = set1(-__builtin_inff());
  for (int32_t b = tile.block_begin; b < tile.block_end; ++b) {
    F s = load(scores + 16 * b);
    if (args.soft_cap != 0.0f) s = capped(args.soft_cap, s);
    if (args.bias != nullptr) s = add(s, load(args.bias[query] + args.chunk_begin + 16 * b));
    if (is_cut(b)) s = select_range(first - 16 * b, last - 16 * b, s, set1(-__builtin_inff()));
    store(scores + 16 * b, s);
    top = max(s, top);
  }
  const float largest = maximum(top);
  F total = set1(0.0f);
  auto* weights = reinterpret_cast<Factor*>(scores);
  for (int32_t b = tile.block_begin; b < tile.block_end; ++b) {
    F p = exp(sub(load(scores + 16 * b), set1(largest)));
    if (is_cut(b)) p = select_range(first - 16 * b, last - 16 * b, p, set1(0.0f));
    total = add(total, p);
    if constexpr (Source::kScaled) {
      p = mul(p, load(source.value_scales(args.chunk_begin + 16 * b)));
      // A scale may be NaN; where nothing is seen it must not show.
      if (is_cut(b)) p = select_range(first - 16 * b, last - 16 * b, p, set1(0.0f));
    }
    store_factors(weights + 16 * b, p);
  }
  args.max[query] = largest;
  args.sum[query] = sum(total);
}

template <int kDims, int kQueries, class Source>
inline void value_tile(const AttentionArgs& args, const Source& source, int32_t first_query,
                       int32_t dim, int32_t begin, int32_t end) {
  using Element = typename Source::Element;
  F acc[kDims][kQueries];
#pragma GCC unroll 8
  for (int t = 0; t < kDims; ++t) {
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) acc[t][i] = set1(0.0f);
  }
  const Factor* weights =
      reinterpret_cast<const Factor*>(args.scores) + first_query * kWeightStride;
  for (int32_t run_begin = begin; run_begin < end;) {
    const int32_t in_run = source.run() - run_begin % source.run();
    const int32_t run_end = run_begin + in_run < end ? run_begin + in_run : end;
    const Element* v = behind(source.values(run_begin), 2 * dim);
    // Read ahead: as many bytes of the next chunk's keys, in the order of memory.
    const bool more = Source::kReadsAhead && seen_ahead(args, run_begin, kAttentionChunk);
    const Element* next = more ? behind(source.keys(run_begin + kAttentionChunk), dim * in_run) : v;
    const int64_t pair = behind(v, 2 * args.value_dim) - v;
    const int64_t read = behind(v, 32 * kDims) - v;
    for (int32_t p = run_begin; p < run_end; p += 2, v += pair, next += read) {
#pragma GCC unroll 8
      for (int t = 0; t < kDims; ++t) {
        const bool begins_line = 4 * t * kElementBits<Element> % 64 == 0;
        if (Source::kReadsAhead && begins_line) read_ahead(behind(next, 32 * t));
        dot_each(acc[t], block_at(behind(v, 32 * t)), weights + (p - args.chunk_begin),
                 kWeightStride);
      }
    }
    run_begin = run_end;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
    float* out = args.vector + static_cast<int64_t>(first_query + i) * args.value_dim + dim;
#pragma GCC unroll 8
    for (int t = 0; t < kDims; ++t) store(out + 16 * t, acc[t][i]);
  }
}

struct Positions {
  int32_t begin, end;
};

// Those that any query of the tile sees, whole pairs.
inline Positions seen_positions(const AttentionArgs& args, const QueryTile& tile) {
  int32_t first = args.first_key[tile.first];
  int32_t last = args.last_key[tile.first];
  for (int32_t i = tile.first; i < tile.first + tile.n; ++i) {
    first = args.first_key[i] < first ? args.first_key[i] : first;
    last = args.last_key[i] > last ? args.last_key[i] : last;
  }
  const int32_t chunk_end = args.chunk_begin + kAttentionChunk;
  return {first > args.chunk_begin ? first & ~1 : args.chunk_begin,
          last < chunk_end ? (last + 2) & ~1 : chunk_end};
}

template <int kQueries, class Source>
inline void values_of(const AttentionArgs& args, const Source& source, const QueryTile& tile) {
  constexpr int kDims = attention_tokens(kQueries) < 4 ? attention_tokens(kQueries) : 4;
  const auto [begin, end] = seen_positions(args, tile);
  int32_t dim = 0;
  for (; dim + 16 * kDims <= args.value_dim; dim += 16 * kDims) {
    value_tile<kDims, kQueries>(args, source, tile.first, dim, begin, end);
  }
  for (; dim < args.value_dim; dim += 16) {
    value_tile<1, kQueries>(args, source, tile.first, dim, begin, end);
  }
}

template <int kQueries, class Source>
void attend_tile(const AttentionArgs& args, const Source& source, const QueryTile& tile) {
  scores_of<kQueries>(args, source, tile);
  for (int32_t i = 0; i < kQueries; ++i) {
    weights_of(args, source, tile, tile.first + i);
  }
  values_of<kQueries>(args, source, tile);
}

inline QueryTile tile_of(const AttentionArgs& args, int32_t first, int32_t n) {
  QueryTile tile{first, n, kAttentionChunk / 16, 0};
  for (int32_t i = first; i < first + n; ++i) {
    const int32_t from = args.first_key[i] - args.chunk_begin;
    const int32_t to = args.last_key[i] - args.chunk_begin;
    if (to < 0 || from >= kAttentionChunk) continue;
    const int32_t begin = from > 0 ? from / 16 : 0;
    const int32_t end = to < kAttentionChunk ? to / 16 + 1 : kAttentionChunk / 16;
    tile.block_begin = begin < tile.block_begin ? begin : tile.block_begin;
    tile.block_end = end > tile.block_end ? end : tile.block_end;
  }
  return tile;
}

inline void nothing_seen(const AttentionArgs& args, const QueryTile& tile) {
  for (int32_t i = tile.first; i < tile.first + tile.n; ++i) {
    args.max[i] = -__builtin_inff();
    args.sum[i] = 0.0f;
    float* out = args.vector + static_cast<int64_t>(i) * args.value_dim;
    for (int32_t d = 0; d < args.value_dim; d += 16) store(out + d, set1(0.0f));
  }
}

template <class Source>
void attend(const AttentionArgs& args, const Source& source) {
  // As few tiles as it takes, of equal size: a last tile of one query costs nearly a full one.
  int32_t tiles_left = (args.n_queries + kAttentionQueries - 1) / kAttentionQueries;
  for (int32_t first = 0; first < args.n_queries;) {
    const int32_t n = (args.n_queries - first + tiles_left - 1) / tiles_left;
    --tiles_left;
    const QueryTile tile = tile_of(args, first, n);
    first += n;
    if (tile.block_begin >= tile.block_end) {
      nothing_seen(args, tile);
      continue;
    }
    with_number<kAttentionQueries>(
        n, [&](auto number) { attend_tile<decltype(number)::value>(args, source, tile); });
  }
}

// To unpack a chunk costs a tile or so: it pays where many tiles see all of it.
inline bool pays_unpacking(const AttentionArgs& args) {
  return args.n_queries > 3 * kAttentionQueries &&
         args.last_key[0] >= args.chunk_begin + kAttentionChunk - 1;
}

template <class E>
void attend_wholes(const AttentionArgs& args) {
  if (!pays_unpacking(args)) return attend(args, PageSource<E>{args});
  const QueryTile seen = tile_of(args, 0, args.n_queries);
  attend(args, unpack_chunk<E>(args, seen.block_begin, seen.block_end));
}

void attention(const AttentionArgs& args) {
  if (args.shared_values) {
    const QueryTile seen = tile_of(args, 0, args.n_queries);
    attend(args, values_of_keys(args, seen.block_begin, seen.block_end));
  } else if (args.format == KvFormat::bf16) {
    attend(args, PageSource<uint16_t>{args});
  } else if (args.format == KvFormat::int8) {
    attend_wholes<int8_t>(args);
  } else {
    attend_wholes<Nibbles>(args);
  }
}

}  // namespace
}  // namespace strata::tensor
