// Attention of sixteen queries of one head with keys and values as rows of floats. Lanes are
// queries, so that maximum, sum and softmax need no reduction across lanes; sums over dims and over
// keys are one accumulator each, in order.
#pragma once

#include "tensor/kernels/floats.h"

namespace strata::tensor {
namespace {

// Queries side by side: [head_dim][16], zeros where there is none.
inline void transpose_queries(const SequenceAttentionArgs& args) {
  for (int64_t d = 0; d < args.head_dim; ++d) {
    for (int32_t i = args.n_queries; i < 16; ++i) args.queries[16 * d + i] = 0.0f;
  }
  for (int32_t i = 0; i < args.n_queries; ++i) {
    const float* q = args.q + i * args.q_stride;
    for (int64_t d = 0; d < args.head_dim; ++d) args.queries[16 * d + i] = q[d];
  }
}

// scores[key][16] of the keys that any of the queries sees, and the maxima.
inline F raw_scores(const SequenceAttentionArgs& args) {
  const F scale = set1(args.scale);
  F top = set1(-__builtin_inff());
  for (int32_t key = args.key_begin; key < args.key_end;) {
    const int step = next_columns<kFloatColumns>(args.key_end - key);
    float* out = args.scores + 16 * int64_t{key - args.key_begin};
    with_number<kFloatColumns>(step, [&](auto number) {
      constexpr int kKeys = decltype(number)::value;
      F sums[kKeys];
      float_sums<kKeys>(args.queries, args.keys + key * args.head_dim, args.head_dim, 1,
                        args.head_dim, sums);
      for (int i = 0; i < kKeys; ++i) {
        F score = sums[i];
        if (args.products != nullptr) {  // of distances
          score = add(score, load(args.products + 16 * int64_t{key - args.key_begin + i}));
        }
        score = mul(score, scale);
        if (args.soft_cap != 0.0f) score = capped(args.soft_cap, score);
        if (args.bias != nullptr) score = add(score, load(args.bias + args.first_query - key - i));
        if (args.reach >= 0) {
          const int32_t at = key + i - args.first_query;  // seen by the queries around it
          score = select_range(at - args.reach, at + args.reach, score, set1(-__builtin_inff()));
        }
        store(out + 16 * i, score);
        top = max(score, top);
      }
    });
    key += step;
  }
  return top;
}

void sequence_attention(const SequenceAttentionArgs& args) {
  transpose_queries(args);
  const F top = raw_scores(args);
  const int64_t n_keys = args.key_end - args.key_begin;
  F total = set1(0.0f);
  for (int64_t key = 0; key < n_keys; ++key) {
    const F p = exp(sub(load(args.scores + 16 * key), top));
    total = add(total, p);
    store(args.scores + 16 * key, p);
  }
  const F factor = div(set1(1.0f), total);
  const float* values = args.values + int64_t{args.key_begin} * args.head_dim;
  for (int32_t dim = 0; dim < args.head_dim;) {
    const int step = next_columns<kFloatColumns>(args.head_dim - dim);
    with_number<kFloatColumns>(step, [&](auto number) {
      constexpr int kDims = decltype(number)::value;
      F sums[kDims];
      float_sums<kDims>(args.scores, values + dim, 1, args.head_dim, n_keys, sums);
      float columns[kDims][16];
      for (int i = 0; i < kDims; ++i) store(columns[i], mul(sums[i], factor));
      for (int32_t q = 0; q < args.n_queries; ++q) {
        float* out = args.out + q * args.out_stride + dim;
        for (int i = 0; i < kDims; ++i) out[i] = columns[i][q];
      }
    });
    dim += step;
  }
}

}  // namespace
}  // namespace strata::tensor
