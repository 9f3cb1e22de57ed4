// Sums of products in 16 bits, and products of 16-bit words, for tensor/kernels/by_register.h.
#pragma once

#include "tensor/kernels/lanes.h"

namespace strata::tensor {
namespace {

// Of how many registers of kBits-bit weights products may be summed before they must be widened:
// the largest of a pair is 2 * (2^kBits - 1) * 128.
template <int kBits>
constexpr int kNarrowRun = kBits == 6   ? 2
                           : kBits == 5 ? 4
                                        : 8;

using Narrow = I;  // 32 x int16: of each row two sums
inline Narrow narrow_dot(U w, Four q) {
  return {_mm256_maddubs_epi16(w.a, q), _mm256_maddubs_epi16(w.b, q)};
}
inline Narrow narrow_add(Narrow x, Narrow y) {
  return {_mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b)};
}
// Of each pair of words the sum, kTimes so much, or the sum of products with the words of y or of
// q.
template <int kTimes = 1>
inline I widen(Narrow x) {
  const __m256i times = _mm256_set1_epi16(kTimes);
  return {_mm256_madd_epi16(x.a, times), _mm256_madd_epi16(x.b, times)};
}
inline I word_products(I x, I y) {
  return {_mm256_madd_epi16(x.a, y.a), _mm256_madd_epi16(x.b, y.b)};
}
inline I word_products(I x, Four q) {
  return {_mm256_madd_epi16(x.a, q), _mm256_madd_epi16(x.b, q)};
}

// Bytes as words, of each four the even ones (0, 2) or the odd ones (1, 3).
inline I even_words(U w) {
  const __m256i low = _mm256_set1_epi16(255);
  return {_mm256_and_si256(w.a, low), _mm256_and_si256(w.b, low)};
}
inline I odd_words(U w) {
  return {_mm256_srli_epi16(w.a, 8), _mm256_srli_epi16(w.b, 8)};
}
template <int kOffset>
inline I centred(I words) {
  const __m256i offset = _mm256_set1_epi16(kOffset);
  return {_mm256_sub_epi16(words.a, offset), _mm256_sub_epi16(words.b, offset)};
}
// One group of activations: the even words of all its fours, then the odd ones.
inline void spread_words(const int8_t* q, int8_t* to) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
  auto* words = reinterpret_cast<__m256i*>(to);
  _mm256_store_si256(words, _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8));
  _mm256_store_si256(words + 1, _mm256_srai_epi16(bytes, 8));
}

// The low word of each 32 bits twice.
inline I twice(I x) {
  const auto both = [](__m256i v) { return _mm256_blend_epi16(v, _mm256_slli_epi32(v, 16), 0xaa); };
  return {both(x.a), both(x.b)};
}
// The first word of each pair of x and the second of y.
inline I pairs_of_words(I x, I y) {
  return {_mm256_blend_epi16(x.a, y.a, 0xaa), _mm256_blend_epi16(x.b, y.b, 0xaa)};
}
template <int kBits>
inline I shift_words(I x) {
  return {_mm256_slli_epi16(x.a, kBits), _mm256_slli_epi16(x.b, kBits)};
}
// Two words in every lane.
inline Four word_pair(int32_t first, int32_t second) {
  return _mm256_set1_epi32(static_cast<int>(static_cast<uint32_t>(second) << 16 |
                                            (static_cast<uint32_t>(first) & 0xffff)));
}

// Where a value stands now, so that the compiler keeps the order of sums that registers were
// counted for.
inline I keep(I x) {
  asm volatile("" : "+x"(x.a), "+x"(x.b));
  return x;
}
// Makes sums wait in memory.
template <class Sums>
inline void keep_in_memory(Sums& sums) {
  asm("" : "+m"(sums));
}
// What was loaded is not kept: the compiler would hold a group's activations, and spill them.
inline void forget_loads() {
  asm volatile("" : : : "memory");
}
// Stays between the sums that it stands between: many at once would make loads wait.
inline void prefetch_here(const uint8_t* p) {
  asm volatile("prefetcht0 %0" : : "m"(*p));
}

}  // namespace
}  // namespace strata::tensor
