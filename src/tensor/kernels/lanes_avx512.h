// Sixteen lanes in one 512-bit register: AVX-512 with VNNI; bf16 products by vdpbf16ps where the
// file is compiled for it, else by two multiplications of floats.
#pragma once

#include <immintrin.h>

#include "tensor/kernels.h"
#include "tensor/kernels/wholes.h"

namespace strata::tensor {
namespace {

using F = __m512;   // 16 floats
using I = __m512i;  // 16 int32
using U = __m512i;  // 64 unsigned bytes: 16 rows x 4 k

inline F load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffffU : (1U << n) - 1U);
}
inline F load_part(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
inline void store(float* p, F a) {
  _mm512_storeu_ps(p, a);
}
inline void store_part(float* p, F a, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), a);
}
inline F set1(float x) {
  return _mm512_set1_ps(x);
}
inline F fma(F a, F b, F c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline F add(F a, F b) {
  return _mm512_add_ps(a, b);
}
inline F sub(F a, F b) {
  return _mm512_sub_ps(a, b);
}
inline F mul(F a, F b) {
  return _mm512_mul_ps(a, b);
}
inline F div(F a, F b) {
  return _mm512_div_ps(a, b);
}
inline F max(F a, F b) {
  return _mm512_max_ps(a, b);
}
inline F min(F a, F b) {
  return _mm512_min_ps(a, b);
}
inline F abs(F a) {
  return _mm512_abs_ps(a);
}
inline F round_even(F a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline F select_less(F a, F b, F x, F y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
inline F select_range(int first, int last, F x, F y) {
  const int from = first < 0 ? 0 : first > 16 ? 16 : first;
  const int to = last < -1 ? -1 : last > 15 ? 15 : last;
  const unsigned mask = ((1U << (to + 1)) - 1U) & ~((1U << from) - 1U);
  return _mm512_mask_blend_ps(static_cast<__mmask16>(mask), y, x);
}
inline F power_of_two(F n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}
inline float sum(F a) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float maximum(F a) {
  const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline F hadamard(F a) {
  // The other of each pair plus this one, or minus in the lanes of the mask.
  const auto butterfly = [](F other, F own, __mmask16 minus) {
    return _mm512_mask_sub_ps(_mm512_add_ps(other, own), minus, other, own);
  };
  a = butterfly(_mm512_shuffle_f32x4(a, a, 0x4e), a, 0xff00);
  a = butterfly(_mm512_shuffle_f32x4(a, a, 0xb1), a, 0xf0f0);
  a = butterfly(_mm512_permute_ps(a, 0x4e), a, 0xcccc);
  return butterfly(_mm512_permute_ps(a, 0xb1), a, 0xaaaa);
}
inline int32_t store_int8(int8_t* p, F a) {  // returns the sum
  const __m512i n = _mm512_cvtps_epi32(a);
  const __m128i bytes = _mm512_cvtsepi32_epi8(n);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  return _mm512_reduce_add_epi32(_mm512_cvtepi8_epi32(bytes));
}
inline __m512i bf16_bits(F a) {  // in the low halves of 32 bits
  const __m512i u = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
  const __mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
  return _mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16);
}
inline void store_bf16(uint16_t* p, F a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bf16_bits(a)));
}
inline int32_t word_at(const void* p) {
  int32_t w;
  __builtin_memcpy(&w, p, 4);
  return w;
}
// 16 pairs of bf16 from whole numbers, which it holds exactly: the first of each, then the second.
inline F sixteen_of(__m128i bytes) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
inline F first_of(const int8_t* y) {
  return sixteen_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(y)));
}
inline F second_of(const int8_t* y) {
  return sixteen_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(y + 16)));
}
inline F first_of(Wholes y) {
  return sixteen_of(reinterpret_cast<__m128i>(y.first));
}
inline F second_of(Wholes y) {
  return sixteen_of(reinterpret_cast<__m128i>(y.second));
}
template <class Pairs>
inline __m512i pairs_of(Pairs y) {
  return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(first_of(y)), 16),
                         _mm512_castps_si512(second_of(y)));
}
inline void unpack_pairs(const int8_t* y, uint16_t* pairs) {
  _mm512_storeu_si512(pairs, pairs_of(y));
}
inline void unpack_pairs(Wholes y, uint16_t* pairs) {
  _mm512_storeu_si512(pairs, pairs_of(y));
}
#if defined(__AVX512BF16__) || defined(STRATA_LANES_BF16)
// acc[i] += a[i][0] * b[i][0] + a[i][1] * b[i][1], pairs of bf16.
inline F dot_pairs(F acc, __m512i a, __m512i b) {
#if defined(__clang__)
  __asm__("" : "+v"(b));  // clang 16 crashes when it folds the broadcast into the product
#endif
  return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
}
inline F dot_bf16(F acc, const uint16_t* y, const uint16_t* x) {
  return dot_pairs(acc, _mm512_loadu_si512(y), _mm512_set1_epi32(word_at(x)));
}
using Factor = uint16_t;  // the broadcast side of dot_pair
inline F dot_pair(F acc, const uint16_t* y, const Factor* x) {
  return dot_bf16(acc, y, x);
}
inline F dot_pair(F acc, const int8_t* y, const Factor* x) {
  return dot_pairs(acc, pairs_of(y), _mm512_set1_epi32(word_at(x)));
}
inline F dot_pair(F acc, Wholes y, const Factor* x) {
  return dot_pairs(acc, pairs_of(y), _mm512_set1_epi32(word_at(x)));
}
inline void store_factors(Factor* p, F x) {
  store_bf16(p, x);
}
#else
#define STRATA_FLOAT_FACTORS  // tensor/kernels/dot_each.h
inline __m512i second_bits(__m512i pairs) {
  return _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000U)));
}
inline F first_of(const uint16_t* y) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(y), 16));
}
inline F second_of(const uint16_t* y) {
  return _mm512_castsi512_ps(second_bits(_mm512_loadu_si512(y)));
}
inline F dot_bf16(F acc, const uint16_t* y, const uint16_t* x) {
  const __m512i pair = _mm512_set1_epi32(word_at(x));
  const F low = fma(first_of(y), _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)), acc);
  return fma(second_of(y), _mm512_castsi512_ps(second_bits(pair)), low);
}
// A float that is a bf16 number: nothing to unpack but what all factors are multiplied with.
using Factor = float;
inline F keep(F x) {  // there are registers enough for any order of sums
  return x;
}
inline void store_factors(Factor* p, F x) {
  store(p, _mm512_castsi512_ps(_mm512_slli_epi32(bf16_bits(x), 16)));
}
#endif
inline void prefetch(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}
inline void prefetch_l2(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}

inline F load_halves(const void* p) {  // 16 fp16
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline I load_int8(const void* p) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
inline F load_uint8(const void* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
}
inline I int_set1(int32_t x) {
  return _mm512_set1_epi32(x);
}
template <int kBits>
inline I shift_left(I a) {
  return _mm512_slli_epi32(a, kBits);
}
inline I int_add(I a, I b) {
  return _mm512_add_epi32(a, b);
}
inline I int_mul(I a, I b) {
  return _mm512_mullo_epi32(a, b);
}
inline I load_int(const void* p) {
  return _mm512_load_si512(p);
}
inline void store_int(void* p, I a) {
  _mm512_store_si512(p, a);
}
inline F to_float(I a) {
  return _mm512_cvtepi32_ps(a);
}

inline U load_bytes(const void* p) {
  return _mm512_load_si512(p);
}
inline void store_bytes(void* p, U a) {
  _mm512_store_si512(p, a);
}
template <int kMask>
inline U masked(U a) {
  return _mm512_and_si512(a, _mm512_set1_epi8(static_cast<char>(kMask)));
}
inline U low_nibbles(U a) {
  return masked<15>(a);
}
inline U high_nibbles(U a) {
  return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15));
}
template <int kBits>  // negative: to the right
inline U shift_bytes_apart(U a) {
  if constexpr (kBits > 0) return _mm512_slli_epi16(a, kBits);
  if constexpr (kBits < 0) return _mm512_srli_epi16(a, -kBits);
  return a;
}
// a | (b & mask)
template <int kMask>
inline U or_masked(U a, U b) {
  return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi8(kMask), 0xf8);
}
// (a & mask) | (b & ~mask)
template <int kMask>
inline U merged(U a, U b) {
  return _mm512_ternarylogic_epi32(_mm512_set1_epi8(static_cast<char>(kMask)), a, b, 0xca);
}
struct Table {
  U entries;
};
inline Table load_table(const uint8_t* p) {
  return {p == nullptr
              ? _mm512_setzero_si512()
              : _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline U look_up(Table table, U index) {
  return _mm512_shuffle_epi8(table.entries, index);
}
using Four = __m512i;  // four activations, in every lane
inline Four broadcast(const int8_t* q) {
  return _mm512_set1_epi32(word_at(q));
}
// acc[row] += sum over 4 k of w[row][k] * q[k]; kBits: of the weights.
template <int kBits>
inline I dot(I acc, U w, Four q) {
  return _mm512_dpbusd_epi32(acc, w, q);
}
constexpr bool kDotRemovesOffset = false;

// Shapes that fit 32 registers (measured, see the benchmarks).
constexpr int kAttentionQueries = 6;
constexpr int attention_tokens(int queries) {
  return queries == 1 ? 8 : 4;
}
constexpr int stream_limit(Layout) {  // columns beyond which unpacking once pays
  return 24;
}
constexpr int gemm_columns(Layout l) {
  return l == Layout::w6k ? 4 : 6;
}
constexpr int kStreamColumns = 8;
constexpr int kBf16Rows = 4;
constexpr int kBf16Columns = 6;
constexpr int kSpreadColumns = 0;
constexpr int kFloatColumns = 12;
constexpr int kScreenColumns = 4;
constexpr int kScreenPays = 4;

}  // namespace
}  // namespace strata::tensor

#include "tensor/kernels/dot_each.h"
