// Sixteen lanes in two 256-bit registers: AVX2 with FMA and F16C; int8 products by vpdpbusd where
// the file is compiled for AVX-VNNI, else by vpmaddubsw.
#pragma once

#include <immintrin.h>

#include "tensor/kernels.h"
#include "tensor/kernels/wholes.h"

namespace strata::tensor {
namespace {

struct F {  // 16 floats
  __m256 a, b;
};
struct I {  // 16 int32
  __m256i a, b;
};
using U = I;  // 64 unsigned bytes: 16 rows x 4 k

inline F load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline __m256i lane_index(int first) {
  return _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
}
inline __m256i lanes_below(int64_t n, int first) {
  const int limit = n > 16 ? 16 : static_cast<int>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(limit), lane_index(first));
}
inline F load_part(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, lanes_below(n, 0)), _mm256_maskload_ps(p + 8, lanes_below(n, 8))};
}
inline void store(float* p, F x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline void store_part(float* p, F x, int64_t n) {
  _mm256_maskstore_ps(p, lanes_below(n, 0), x.a);
  _mm256_maskstore_ps(p + 8, lanes_below(n, 8), x.b);
}
inline F set1(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline F fma(F x, F y, F z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline F add(F x, F y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline F sub(F x, F y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline F mul(F x, F y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline F div(F x, F y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
inline F max(F x, F y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
inline F min(F x, F y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
inline F abs(F x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
inline F round_even(F x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kNearest), _mm256_round_ps(x.b, kNearest)};
}
inline F select_less(F p, F q, F x, F y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(p.a, q.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(p.b, q.b, _CMP_LT_OQ))};
}
inline F select_range(int first, int last, F x, F y) {
  const __m256i low = _mm256_set1_epi32(first - 1);
  const __m256i high = _mm256_set1_epi32(last + 1);
  const auto mask = [&](__m256i index) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_cmpgt_epi32(index, low), _mm256_cmpgt_epi32(high, index)));
  };
  return {_mm256_blendv_ps(y.a, x.a, mask(lane_index(0))),
          _mm256_blendv_ps(y.b, x.b, mask(lane_index(8)))};
}
inline F power_of_two(F n) {
  const auto power = [](__m256 x) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  };
  return {power(n.a), power(n.b)};
}
inline float sum(F x) {
  const __m256 half = _mm256_add_ps(x.a, x.b);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float maximum(F x) {
  const __m256 half = _mm256_max_ps(x.a, x.b);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline F hadamard(F x) {
  // The other of each pair plus this one, or minus where `sign` says so.
  const auto butterfly = [](__m256 other, __m256 own, __m256 sign) {
    return _mm256_add_ps(other, _mm256_xor_ps(own, sign));
  };
  const auto half = [&](__m256 v) {
    v = butterfly(_mm256_permute2f128_ps(v, v, 1), v,
                  _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f));
    v = butterfly(_mm256_permute_ps(v, 0x4e), v,
                  _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f));
    return butterfly(_mm256_permute_ps(v, 0xb1), v,
                     _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f));
  };
  return {half(_mm256_add_ps(x.a, x.b)), half(_mm256_sub_ps(x.a, x.b))};
}
inline int32_t sum_of(__m256i x) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}
inline int32_t store_int8(int8_t* p, F x) {  // returns the sum
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)), 0xd8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  return sum_of(_mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), _mm256_set1_epi16(1)));
}
inline __m256i bf16_bits(__m256 x) {  // in the low halves of 32 bits
  const __m256i u = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
  const __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
  const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan)), 16);
}
inline void store_bf16(uint16_t* p, F x) {
  const __m256i packed = _mm256_packus_epi32(bf16_bits(x.a), bf16_bits(x.b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xd8));
}
inline int32_t word_at(const void* p) {
  int32_t w;
  __builtin_memcpy(&w, p, 4);
  return w;
}
// Of 16 pairs the first or the second number of each, as floats.
inline __m256 eight_of(__m128i bytes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
inline __m256 load_eight(const int8_t* p) {
  return eight_of(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline F eights_of(Wholes::Sixteen x) {
  const auto bytes = reinterpret_cast<__m128i>(x);
  return {eight_of(bytes), eight_of(_mm_unpackhi_epi64(bytes, _mm_setzero_si128()))};
}
inline F first_of(const uint16_t* y) {
  const auto* v = reinterpret_cast<const __m256i*>(y);
  const auto floats = [](__m256i x) { return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)); };
  return {floats(_mm256_loadu_si256(v)), floats(_mm256_loadu_si256(v + 1))};
}
inline F second_of(const uint16_t* y) {
  const auto* v = reinterpret_cast<const __m256i*>(y);
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000U));
  const auto floats = [&](__m256i x) { return _mm256_castsi256_ps(_mm256_and_si256(x, high)); };
  return {floats(_mm256_loadu_si256(v)), floats(_mm256_loadu_si256(v + 1))};
}
inline F first_of(const int8_t* y) {
  return {load_eight(y), load_eight(y + 8)};
}
inline F second_of(const int8_t* y) {
  return {load_eight(y + 16), load_eight(y + 24)};
}
inline F first_of(Wholes y) {
  return eights_of(y.first);
}
inline F second_of(Wholes y) {
  return eights_of(y.second);
}
inline F dot_bf16(F acc, const uint16_t* y, const uint16_t* x) {
  const __m256i pair = _mm256_set1_epi32(word_at(x));
  const __m256 x0 = _mm256_castsi256_ps(_mm256_slli_epi32(pair, 16));
  const __m256 x1 =
      _mm256_castsi256_ps(_mm256_and_si256(pair, _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
  return fma(second_of(y), {x1, x1}, fma(first_of(y), {x0, x0}, acc));
}
#define STRATA_FLOAT_FACTORS  // tensor/kernels/dot_each.h
// A float that is a bf16 number: nothing to unpack but what all factors are multiplied with.
using Factor = float;
// Where sums stand now: the compiler would unpack second numbers too early, and spill.
inline F keep(F x) {
  asm volatile("" : "+x"(x.a), "+x"(x.b));
  return x;
}
// Such numbers to 16 pairs of bf16, which holds them exactly.
inline void store_pairs(uint16_t* pairs, __m256 first, __m256 second) {
  const __m256i low = _mm256_srli_epi32(_mm256_castps_si256(first), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs),
                      _mm256_or_si256(low, _mm256_castps_si256(second)));
}
inline void unpack_pairs(const int8_t* y, uint16_t* pairs) {
  store_pairs(pairs, load_eight(y), load_eight(y + 16));
  store_pairs(pairs + 16, load_eight(y + 8), load_eight(y + 24));
}
inline void unpack_pairs(Wholes y, uint16_t* pairs) {
  const F first = eights_of(y.first);
  const F second = eights_of(y.second);
  store_pairs(pairs, first.a, second.a);
  store_pairs(pairs + 16, first.b, second.b);
}
inline void store_factors(Factor* p, F x) {
  const auto rounded = [](__m256 half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(bf16_bits(half), 16));
  };
  store(p, {rounded(x.a), rounded(x.b)});
}
inline void prefetch(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}
inline void prefetch_l2(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}

inline F load_halves(const void* p) {  // 16 fp16
  const auto* h = static_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1))};
}
inline I load_int8(const void* p) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
inline F load_uint8(const void* p) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline I int_set1(int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
template <int kBits>
inline I shift_left(I x) {
  return {_mm256_slli_epi32(x.a, kBits), _mm256_slli_epi32(x.b, kBits)};
}
inline I int_add(I x, I y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
inline I int_mul(I x, I y) {
  return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)};
}
inline I load_int(const void* p) {
  const auto* v = static_cast<const __m256i*>(p);
  return {_mm256_load_si256(v), _mm256_load_si256(v + 1)};
}
inline void store_int(void* p, I x) {
  auto* v = static_cast<__m256i*>(p);
  _mm256_store_si256(v, x.a);
  _mm256_store_si256(v + 1, x.b);
}
inline F to_float(I x) {
  return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}

inline U load_bytes(const void* p) {
  return load_int(p);
}
inline void store_bytes(void* p, U x) {
  store_int(p, x);
}
template <int kMask>
inline U masked(U x) {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>(kMask));
  return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
}
inline U low_nibbles(U x) {
  return masked<15>(x);
}
inline U high_nibbles(U x) {
  return low_nibbles({_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)});
}
template <int kBits>  // negative: to the right
inline U shift_bytes_apart(U x) {
  if constexpr (kBits > 0) return {_mm256_slli_epi16(x.a, kBits), _mm256_slli_epi16(x.b, kBits)};
  if constexpr (kBits < 0) return {_mm256_srli_epi16(x.a, -kBits), _mm256_srli_epi16(x.b, -kBits)};
  return x;
}
// x | (y & mask)
template <int kMask>
inline U or_masked(U x, U y) {
  const __m256i mask = _mm256_set1_epi8(kMask);
  return {_mm256_or_si256(x.a, _mm256_and_si256(y.a, mask)),
          _mm256_or_si256(x.b, _mm256_and_si256(y.b, mask))};
}
// (x & mask) | (y & ~mask)
template <int kMask>
inline U merged(U x, U y) {
  return or_masked<255 - kMask>(masked<kMask>(x), y);
}
struct Table {
  __m256i entries;
};
inline Table load_table(const uint8_t* p) {
  return {p == nullptr
              ? _mm256_setzero_si256()
              : _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline U look_up(Table table, U index) {
  return {_mm256_shuffle_epi8(table.entries, index.a), _mm256_shuffle_epi8(table.entries, index.b)};
}

#define STRATA_FEW_REGISTERS  // tensor/kernels/row_blocks.h
#if defined(__AVXVNNI__)
constexpr bool kHasVnni = true;
#else
constexpr bool kHasVnni = false;
#endif
// Whether `dot` takes 8-bit weights as value + 128 and sums the values themselves.
constexpr bool kDotRemovesOffset = !kHasVnni;

using Four = __m256i;  // four activations, in every lane
inline Four broadcast(const int8_t* q) {
  return _mm256_set1_epi32(word_at(q));
}

// acc[row] += sum over 4 k of w[row][k] * q[k]; kBits: of the weights.
template <int kBits>
inline __m256i dot_half(__m256i acc, __m256i w, __m256i q) {
#if defined(__AVXVNNI__)
  return _mm256_dpbusd_avx_epi32(acc, w, q);
#else
  static_assert(kBits == 8);  // of fewer, sums_avx2.h sums products in 16 bits
  const __m256i ones = _mm256_set1_epi16(1);
  // |value| <= 128 times the activation with the value's sign: a pair is below 2^15.
  const __m256i value = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(value), _mm256_sign_epi8(q, value));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, ones));
#endif
}
template <int kBits>
inline I dot(I acc, U w, Four q) {
  return {dot_half<kBits>(acc.a, w.a, q), dot_half<kBits>(acc.b, w.b, q)};
}

// Shapes for 16 registers, two to a value.
constexpr int kAttentionQueries = 6;
constexpr int attention_tokens(int queries) {  // one query alone would wait for its own sums
  return queries == 1 ? 4 : queries == 2 ? 2 : 1;
}
constexpr int kStreamColumns = 4;
// Columns beyond which gemm pays. Without VNNI that depends on how much there is to unpack, and
// 8-bit weights gain by words. Q4_0, 1536 x 576, 8 columns: stream 196 GOPS, gemm 178; Q5_K: 133
// and 150; Q8_0: 99 and 117.
constexpr int stream_limit(Layout l) {
  // Not measured: a second pass unpacks once more, for products that cost little.
  if (kHasVnni) return 4;
  if (l == Layout::w8s || l == Layout::w4t) return 2;
  if (l == Layout::w8p || l == Layout::w5k) return 4;
  return l == Layout::w4s || l == Layout::w4m ? 16 : 8;
}
constexpr int kBf16Rows = 2;
constexpr int kBf16Columns = 2;
constexpr int kSpreadColumns = 6;
constexpr int kFloatColumns = 6;
constexpr int kScreenColumns = 2;
constexpr int kScreenPays = kHasVnni ? 4 : 2;

}  // namespace
}  // namespace strata::tensor

#include "tensor/kernels/dot_each.h"
