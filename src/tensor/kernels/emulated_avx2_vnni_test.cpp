// lanes_avx2.h with AVX-VNNI, whose one instruction is written out for processors that lack it.
#if defined(__x86_64__) && !defined(__AVXVNNI__)
#include <immintrin.h>

namespace {

// Per 32 bits acc + the four products of unsigned bytes of w with signed ones of q: as words, which
// hold them, unlike the 16-bit sums of vpmaddubsw.
inline __m256i emulated_dpbusd(__m256i acc, __m256i w, __m256i q) {
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(w, _mm256_set1_epi16(255)),
                                         _mm256_srai_epi16(_mm256_slli_epi16(q, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(w, 8), _mm256_srai_epi16(q, 8));
  return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}

}  // namespace

#define __AVXVNNI__ 1
#define _mm256_dpbusd_avx_epi32 emulated_dpbusd
#include "tensor/kernels/emulated_test.h"
#include "tensor/kernels/fast_set.h"

namespace strata::tensor {

const KernelSet& emulated_avx2_vnni_kernels() {
  static const KernelSet set = make_fast_set("avx2-vnni emulated");
  return set;
}

}  // namespace strata::tensor

#endif
