// The int32 sums of a group for tensor/kernels/by_register.h without VNNI: products of bytes that
// are summed in 16 bits as far as that goes, and products of 16-bit words.
#pragma once

#include "tensor/kernels/unpack.h"
#include "tensor/kernels/words_avx2.h"

namespace strata::tensor {
namespace {

constexpr bool kByWords = true;  // 8 bits, and nibbles apart where they are in planes

// w6k: twice in 32 bits, for words.
template <int kHalf>
inline I half_scale_of(const uint8_t* tile, int g) {
  return twice(sub_scale_of<kHalf>(tile, g));
}

// sum[c] += widened(the 16-bit sums) of registers [kFrom, kTo) of a group.
template <Layout kLayout, int kFrom, int kTo, int kColumns, class Group, class Widened>
inline void add_narrow(const Group& group, const int8_t* q, int64_t q_stride,
                       const Widened& widened, I (&sum)[kColumns]) {
  constexpr int kMost = kNarrowRun<weight_bits(kLayout)>;
  constexpr int kRun = kMost > kTo - kFrom ? kTo - kFrom : kMost;
  unrolled<0, (kTo - kFrom) / kRun>([&](auto run) {
    constexpr int kFirst = kFrom + kRun * decltype(run)::value;
    Narrow part[kColumns];
    unrolled<kFirst, kFirst + kRun>([&](auto j) {
      const U w = group.template at<decltype(j)::value>();
      group.template ahead<decltype(j)::value>();
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const Narrow products = narrow_dot(w, broadcast(q + c * q_stride + 4 * j.value));
        part[c] = keep(j.value == kFirst ? products : narrow_add(part[c], products));
      }
    });
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) sum[c] = int_add(sum[c], widened(part[c]));
  });
}

// The nibbles above or below of a group of w8p, as a group of 4 bits.
template <class Group, bool kAbove>
struct NibblesOf {
  const Group& group;
  template <int kRegister>
  inline U at() const {
    if constexpr (kAbove) return group.template high<kRegister>();
    return group.template low<kRegister>();
  }
  template <int kRegister>
  inline void ahead() const {
    if constexpr (kRegister < 4) group.template ahead<kAbove ? kRegister : 4 + kRegister>();
  }
};

// sum[c] += the products of a group of w8p with a few columns: 16 times those of the nibbles above
// and those of the nibbles below, each of whose sums fit 16 bits.
template <int kColumns, class Group>
inline void add_nibbles(const Group& group, const int8_t* q, int64_t q_stride, I (&sum)[kColumns]) {
  add_narrow<Layout::w4s, 0, 8>(
      NibblesOf<Group, true>{group}, q, q_stride, [](Narrow x) { return widen<16>(x); }, sum);
  forget_loads();
  add_narrow<Layout::w4s, 0, 8>(
      NibblesOf<Group, false>{group}, q, q_stride, [](Narrow x) { return widen(x); }, sum);
}

// sum[c] += the products of a group's 8-bit weights; as words, where q was spread (spread_words).
template <Layout kLayout, bool kWords, int kColumns, class Group>
inline void add_bytes(const Group& group, const int8_t* q, int64_t q_stride, I (&sum)[kColumns]) {
  unrolled<0, 8>([&](auto j) {
    group.template ahead<decltype(j)::value>();
    if constexpr (!kWords) {
      const U w = group.template at<decltype(j)::value>();
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        sum[c] = keep(dot<8>(sum[c], w, broadcast(q + c * q_stride + 4 * j.value)));
      }
    } else {
      const I even = group.template even<decltype(j)::value>();
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const Four four = broadcast(q + c * q_stride + 4 * j.value);
        sum[c] = keep(int_add(sum[c], word_products(even, four)));
      }
      const I odd = group.template odd<decltype(j)::value>();
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const Four four = broadcast(q + c * q_stride + kGroup + 4 * j.value);
        sum[c] = keep(int_add(sum[c], word_products(odd, four)));
      }
    }
  });
}

// The int32 sums of a group with a few columns.
template <Layout kLayout, bool kWords = false, bool kCentred = false, int kColumns, class Group>
inline void sums_of_group(const Group& group, const int8_t* q, int64_t q_stride,
                          const GroupMeta* meta, int64_t meta_stride, I (&sum)[kColumns]) {
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) sum[c] = int_set1(0);
  if constexpr (kLayout == Layout::w6k) {
    const I first = group.template half_scale<0>();
    add_narrow<kLayout, 0, 4>(
        group, q, q_stride, [&](Narrow x) { return word_products(x, first); }, sum);
    const I last = group.template half_scale<1>();
    add_narrow<kLayout, 4, 8>(
        group, q, q_stride, [&](Narrow x) { return word_products(x, last); }, sum);
    // 32 times the scales fit 16 bits, and so do sums of 16 activations.
    const I offsets = shift_words<5>(pairs_of_words(first, last));
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const GroupMeta& m = meta[c * meta_stride];
      const Four sums = word_pair(m.neg_sum_lo, m.neg_sum - m.neg_sum_lo);
      sum[c] = int_add(sum[c], word_products(offsets, sums));
    }
    return;
  }
  if constexpr (kLayout == Layout::w8p && !kWords) {
    add_nibbles(group, q, q_stride, sum);
  } else if constexpr (weight_bits(kLayout) == 8) {
    add_bytes<kLayout, kWords>(group, q, q_stride, sum);
  } else {
    add_narrow<kLayout, 0, 8>(group, q, q_stride, [](Narrow x) { return widen(x); }, sum);
  }
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    constexpr bool kRemoved = kWords ? kCentred : offset_removed(kLayout) && kLayout != Layout::w8p;
    sum[c] = int_add(sum[c], start_at<kLayout, kRemoved>(meta[c * meta_stride].neg_sum));
  }
}

}  // namespace
}  // namespace strata::tensor
