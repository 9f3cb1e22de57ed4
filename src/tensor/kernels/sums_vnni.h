// The int32 sums of a group for tensor/kernels/by_register.h with VNNI.
#pragma once

#include "tensor/kernels/unpack.h"
#include "tensor/kernels/words_avx2.h"

namespace strata::tensor {
namespace {

constexpr bool kByWords = false;

template <int kHalf>
inline I half_scale_of(const uint8_t* tile, int g) {
  return sub_scale_of<kHalf>(tile, g);
}

// sum[c] += the products of registers [kFrom, kTo) of a group.
template <Layout kLayout, int kFrom, int kTo, int kColumns, class Group>
inline void add_dots(const Group& group, const int8_t* q, int64_t q_stride, I (&sum)[kColumns]) {
  unrolled<kFrom, kTo>([&](auto j) {
    const U w = group.template at<decltype(j)::value>();
    group.template ahead<decltype(j)::value>();
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const Four four = broadcast(q + c * q_stride + 4 * j.value);
      sum[c] = keep(dot<weight_bits(kLayout)>(sum[c], w, four));
    }
  });
}

// The int32 sums of a group with a few columns. Words are not used.
template <Layout kLayout, bool kWords = false, bool kCentred = false, int kColumns, class Group>
inline void sums_of_group(const Group& group, const int8_t* q, int64_t q_stride,
                          const GroupMeta* meta, int64_t meta_stride, I (&sum)[kColumns]) {
  static_assert(!kWords && !kCentred);
  constexpr bool kHalves = kLayout == Layout::w6k;
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const GroupMeta& m = meta[c * meta_stride];
    sum[c] = start_at<kLayout>(kHalves ? m.neg_sum_lo : m.neg_sum);
  }
  if constexpr (!kHalves) {
    add_dots<kLayout, 0, 8>(group, q, q_stride, sum);
    return;
  }
  add_dots<kLayout, 0, 4>(group, q, q_stride, sum);
  const I first_scale = group.template half_scale<0>();
  I last[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const GroupMeta& m = meta[c * meta_stride];
    sum[c] = int_mul(sum[c], first_scale);
    last[c] = start_at<kLayout>(m.neg_sum - m.neg_sum_lo);
  }
  keep_in_memory(sum);
  add_dots<kLayout, 4, 8>(group, q, q_stride, last);
  const I last_scale = group.template half_scale<1>();
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) sum[c] = int_add(sum[c], int_mul(last[c], last_scale));
}

}  // namespace
}  // namespace strata::tensor
