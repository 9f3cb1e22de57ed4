// Intrinsics of lanes_avx512.h by SIMDe, which turns them into vector code for any processor. What
// its version in Debian 12 lacks, or takes for another instruction, is written out here. Include
// this before any kernel header, and compile without AVX-512.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_INLINE
#include <simde/x86/avx512.h>

namespace {

// Calls one(i) for each of the 16 lanes and gathers the results in a register.
template <typename Register, typename Lane, typename One>
Register each_lane(One one) {
  Lane lanes[64 / sizeof(Lane)];
  for (size_t i = 0; i < 64 / sizeof(Lane); ++i) lanes[i] = one(i);
  Register all;
  __builtin_memcpy(&all, lanes, sizeof(all));
  return all;
}
template <typename Lane, typename Register>
Lane lane(const Register& all, size_t i) {
  Lane one;
  __builtin_memcpy(&one, reinterpret_cast<const char*>(&all) + i * sizeof(Lane), sizeof(one));
  return one;
}

inline __m512i emulated_cvtps_epi32(__m512 a) {
  return each_lane<__m512i, int32_t>(
      [&](size_t i) { return _mm_cvtss_si32(_mm_set_ss(lane<float>(a, i))); });
}
inline __m512 emulated_cvtepi32_ps(__m512i a) {
  return each_lane<__m512, float>(
      [&](size_t i) { return static_cast<float>(lane<int32_t>(a, i)); });
}
inline __m512i emulated_cvtepi8_epi32(__m128i a) {
  return each_lane<__m512i, int32_t>([&](size_t i) { return lane<int8_t>(a, i); });
}
inline __m512i emulated_cvtepu8_epi32(__m128i a) {
  return each_lane<__m512i, int32_t>([&](size_t i) { return lane<uint8_t>(a, i); });
}
inline __m512 emulated_cvtph_ps(__m256i a) {
  return each_lane<__m512, float>([&](size_t i) { return _cvtsh_ss(lane<uint16_t>(a, i)); });
}
inline __m256i emulated_cvtepi32_epi16(__m512i a) {
  uint16_t low[16];
  for (size_t i = 0; i < 16; ++i) low[i] = static_cast<uint16_t>(lane<uint32_t>(a, i));
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(low));
}
inline __m256 emulated_extractf32x8_ps(__m512 a, int half) {
  return lane<__m256>(a, static_cast<size_t>(half));
}
inline __m512 emulated_maskz_loadu_ps(uint16_t mask, const float* p) {
  return each_lane<__m512, float>([&](size_t i) { return (mask >> i & 1) != 0 ? p[i] : 0.0F; });
}
inline void emulated_mask_storeu_ps(float* p, uint16_t mask, __m512 a) {
  for (size_t i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) p[i] = lane<float>(a, i);
  }
}
inline int emulated_reduce_add_epi32(__m512i a) {
  int sum = 0;
  for (size_t i = 0; i < 16; ++i) sum += lane<int32_t>(a, i);
  return sum;
}
inline __m512i emulated_madd_epi16(__m512i a, __m512i b) {
  return each_lane<__m512i, int32_t>([&](size_t i) {
    return lane<int16_t>(a, 2 * i) * lane<int16_t>(b, 2 * i) +
           lane<int16_t>(a, 2 * i + 1) * lane<int16_t>(b, 2 * i + 1);
  });
}

inline __m512 emulated_shuffle_f32x4(__m512 a, __m512 b, int order) {
  return each_lane<__m512, float>([&](size_t i) {
    const auto from = static_cast<size_t>(order) >> (i / 4 * 2) & 3;
    return lane<float>(i < 8 ? a : b, from * 4 + i % 4);
  });
}
inline __m512 emulated_permute_ps(__m512 a, int order) {
  return each_lane<__m512, float>([&](size_t i) {
    const auto from = static_cast<size_t>(order) >> (i % 4 * 2) & 3;
    return lane<float>(a, i / 4 * 4 + from);
  });
}

}  // namespace

#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_shuffle_f32x4 emulated_shuffle_f32x4
#define _mm512_permute_ps emulated_permute_ps
#define _mm512_reduce_add_epi32 emulated_reduce_add_epi32
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 emulated_madd_epi16

#undef _mm_prefetch
#define _mm_prefetch(place, hint) static_cast<void>(place)

#define STRATA_LANES_AVX512

// The intrinsics above are optimised, what calls them is not: unrolled, it takes the compiler
// minutes.
#pragma GCC optimize("O0")
