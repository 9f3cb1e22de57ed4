// Sixteen lanes in four 128-bit registers: NEON with dot products. Weights are unsigned and
// activations signed: usdot multiplies them as they are where the file is compiled for i8mm, else
// sdot does, which takes weights of at most 7 bits as signed and removes the offset of 8-bit ones.
// Everything but the integer products is as in lanes_generic.h, bf16 included, bit for bit.
#pragma once

#include <arm_neon.h>

#include "tensor/kernels.h"
#include "tensor/kernels/wholes.h"

namespace strata::tensor {
namespace {

struct F {  // 16 floats
  float32x4_t v[4];
};
struct I {  // 16 int32
  int32x4_t v[4];
};
struct U {  // 64 unsigned bytes: 16 rows x 4 k
  uint8x16_t v[4];
};

// A value from op(0) .. op(3), its four registers.
template <class T, class Op>
inline T quarters(Op op) {
  return {{op(0), op(1), op(2), op(3)}};
}

inline F load(const float* p) {
  return quarters<F>([&](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, F x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.v[i]);
}
inline F load_part(const float* p, int64_t n) {
  float whole[16] = {};
  for (int i = 0; i < 16 && i < n; ++i) whole[i] = p[i];
  return load(whole);
}
inline void store_part(float* p, F x, int64_t n) {
  float whole[16];
  store(whole, x);
  for (int i = 0; i < 16 && i < n; ++i) p[i] = whole[i];
}
inline F set1(float x) {
  return quarters<F>([&](int) { return vdupq_n_f32(x); });
}
inline F fma(F x, F y, F z) {
  return quarters<F>([&](int i) { return vfmaq_f32(z.v[i], x.v[i], y.v[i]); });
}
inline F add(F x, F y) {
  return quarters<F>([&](int i) { return vaddq_f32(x.v[i], y.v[i]); });
}
inline F sub(F x, F y) {
  return quarters<F>([&](int i) { return vsubq_f32(x.v[i], y.v[i]); });
}
inline F mul(F x, F y) {
  return quarters<F>([&](int i) { return vmulq_f32(x.v[i], y.v[i]); });
}
inline F div(F x, F y) {
  return quarters<F>([&](int i) { return vdivq_f32(x.v[i], y.v[i]); });
}
// The second operand where either is NaN; fmax would give the NaN.
inline float32x4_t max4(float32x4_t x, float32x4_t y) {
  return vbslq_f32(vcgtq_f32(x, y), x, y);
}
inline F max(F x, F y) {
  return quarters<F>([&](int i) { return max4(x.v[i], y.v[i]); });
}
inline F min(F x, F y) {
  return quarters<F>([&](int i) { return vbslq_f32(vcltq_f32(x.v[i], y.v[i]), x.v[i], y.v[i]); });
}
inline F abs(F x) {
  return quarters<F>([&](int i) { return vabsq_f32(x.v[i]); });
}
inline F round_even(F x) {
  return quarters<F>([&](int i) { return vrndnq_f32(x.v[i]); });
}
inline F select_less(F p, F q, F x, F y) {
  return quarters<F>([&](int i) { return vbslq_f32(vcltq_f32(p.v[i], q.v[i]), x.v[i], y.v[i]); });
}
inline F select_range(int first, int last, F x, F y) {
  const int32x4_t index = {0, 1, 2, 3};
  return quarters<F>([&](int i) {
    const uint32x4_t inside = vandq_u32(vcgeq_s32(index, vdupq_n_s32(first - 4 * i)),
                                        vcleq_s32(index, vdupq_n_s32(last - 4 * i)));
    return vbslq_f32(inside, x.v[i], y.v[i]);
  });
}
inline F power_of_two(F n) {
  return quarters<F>([&](int i) {
    const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
  });
}
inline float sum(F x) {
  const float32x4_t four = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float maximum(F x) {
  const float32x4_t four = max4(max4(x.v[0], x.v[2]), max4(x.v[1], x.v[3]));
  const float a = vgetq_lane_f32(four, 0) > vgetq_lane_f32(four, 2) ? vgetq_lane_f32(four, 0)
                                                                    : vgetq_lane_f32(four, 2);
  const float b = vgetq_lane_f32(four, 1) > vgetq_lane_f32(four, 3) ? vgetq_lane_f32(four, 1)
                                                                    : vgetq_lane_f32(four, 3);
  return a > b ? a : b;
}
inline F hadamard(F x) {
  const auto four = [](float32x4_t v) {
    const float32x4_t low = {1.0f, 1.0f, -1.0f, -1.0f};
    const float32x4_t even = {1.0f, -1.0f, 1.0f, -1.0f};
    v = vfmaq_f32(vextq_f32(v, v, 2), v, low);  // times 1 or -1: as a sum
    return vfmaq_f32(vrev64q_f32(v), v, even);
  };
  const float32x4_t a = vaddq_f32(x.v[0], x.v[2]);
  const float32x4_t b = vaddq_f32(x.v[1], x.v[3]);
  const float32x4_t c = vsubq_f32(x.v[0], x.v[2]);
  const float32x4_t d = vsubq_f32(x.v[1], x.v[3]);
  return {
      {four(vaddq_f32(a, b)), four(vsubq_f32(a, b)), four(vaddq_f32(c, d)), four(vsubq_f32(c, d))}};
}
inline int32_t store_int8(int8_t* p, F x) {  // returns the sum
  // Conversion makes NaN zero and narrowing saturates; the contract is -128 for both.
  const I n = quarters<I>([&](int i) {
    const float32x4_t whole = vrndnq_f32(x.v[i]);
    const uint32x4_t fits =
        vandq_u32(vcgeq_f32(whole, vdupq_n_f32(-128.0f)), vcleq_f32(whole, vdupq_n_f32(127.0f)));
    return vbslq_s32(fits, vcvtq_s32_f32(whole), vdupq_n_s32(-128));
  });
  const int16x8_t low = vcombine_s16(vmovn_s32(n.v[0]), vmovn_s32(n.v[1]));
  const int16x8_t high = vcombine_s16(vmovn_s32(n.v[2]), vmovn_s32(n.v[3]));
  vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
  return vaddvq_s16(vaddq_s16(low, high));
}
inline uint16x4_t bf16_bits(float32x4_t x) {
  const uint32x4_t u = vreinterpretq_u32_f32(x);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7fff)), odd);
  const uint32x4_t quiet = vorrq_u32(u, vdupq_n_u32(0x400000));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}
inline void store_bf16(uint16_t* p, F x) {
  vst1q_u16(p, vcombine_u16(bf16_bits(x.v[0]), bf16_bits(x.v[1])));
  vst1q_u16(p + 8, vcombine_u16(bf16_bits(x.v[2]), bf16_bits(x.v[3])));
}
inline uint32_t word_at(const void* p) {
  uint32_t w;
  __builtin_memcpy(&w, p, 4);
  return w;
}
inline F dot_bf16(F acc, const uint16_t* y, const uint16_t* x) {
  const auto first_of = [](uint32x4_t v) { return vreinterpretq_f32_u32(vshlq_n_u32(v, 16)); };
  const auto second_of = [](uint32x4_t v) {
    return vreinterpretq_f32_u32(vandq_u32(v, vdupq_n_u32(0xffff0000U)));
  };
  const uint32x4_t pair = vdupq_n_u32(word_at(x));
  const float32x4_t x0 = first_of(pair);
  const float32x4_t x1 = second_of(pair);
  return quarters<F>([&](int i) {
    const uint32x4_t v = vreinterpretq_u32_u16(vld1q_u16(y + 8 * i));
    return vfmaq_f32(vfmaq_f32(acc.v[i], x0, first_of(v)), x1, second_of(v));
  });
}
using Factor = uint16_t;  // the broadcast side of dot_pair
inline F dot_pair(F acc, const uint16_t* y, const Factor* x) {
  return dot_bf16(acc, y, x);
}
inline void store_factors(Factor* p, F x) {
  store_bf16(p, x);
}
inline void prefetch(const void* p) {
  __builtin_prefetch(p, 0, 3);
}
inline void prefetch_l2(const void* p) {
  __builtin_prefetch(p, 0, 2);
}

inline F load_halves(const void* p) {  // 16 fp16
  const auto* h = static_cast<const uint16_t*>(p);
  return quarters<F>(
      [&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h + 4 * i))); });
}
inline I widen(int8x16_t bytes) {
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
  const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
  return {{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)),
           vmovl_s16(vget_low_s16(high)), vmovl_s16(vget_high_s16(high))}};
}
inline I load_int8(const void* p) {
  return widen(vld1q_s8(static_cast<const int8_t*>(p)));
}
inline F load_uint8(const void* p) {
  const uint8x16_t bytes = vld1q_u8(static_cast<const uint8_t*>(p));
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
  const uint16x8_t high = vmovl_u8(vget_high_u8(bytes));
  return {{vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))),
           vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))),
           vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
           vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)))}};
}
inline I int_set1(int32_t x) {
  return quarters<I>([&](int) { return vdupq_n_s32(x); });
}
template <int kBits>
inline I shift_left(I x) {
  return quarters<I>([&](int i) { return vshlq_n_s32(x.v[i], kBits); });
}
inline I int_add(I x, I y) {
  return quarters<I>([&](int i) { return vaddq_s32(x.v[i], y.v[i]); });
}
inline I int_mul(I x, I y) {
  return quarters<I>([&](int i) { return vmulq_s32(x.v[i], y.v[i]); });
}
inline I load_int(const void* p) {
  return quarters<I>([&](int i) { return vld1q_s32(static_cast<const int32_t*>(p) + 4 * i); });
}
inline void store_int(void* p, I x) {
  for (int i = 0; i < 4; ++i) vst1q_s32(static_cast<int32_t*>(p) + 4 * i, x.v[i]);
}
inline F to_float(I x) {
  return quarters<F>([&](int i) { return vcvtq_f32_s32(x.v[i]); });
}

// dot_pair with whole numbers: the first of each of 16 pairs, then the second of each.
inline F dot_wholes(F acc, F first, F second, const Factor* x) {
  const uint32x4_t pair = vdupq_n_u32(word_at(x));
  const float32x4_t x0 = vreinterpretq_f32_u32(vshlq_n_u32(pair, 16));
  const float32x4_t x1 = vreinterpretq_f32_u32(vandq_u32(pair, vdupq_n_u32(0xffff0000U)));
  return quarters<F>(
      [&](int i) { return vfmaq_f32(vfmaq_f32(acc.v[i], x0, first.v[i]), x1, second.v[i]); });
}
inline F dot_pair(F acc, const int8_t* y, const Factor* x) {
  return dot_wholes(acc, to_float(load_int8(y)), to_float(load_int8(y + 16)), x);
}
inline F dot_pair(F acc, Wholes y, const Factor* x) {
  return dot_wholes(acc, to_float(widen(y.first)), to_float(widen(y.second)), x);
}

// Such numbers to 16 pairs of bf16, which holds them exactly.
inline void store_pairs(uint16_t* pairs, F first, F second) {
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t low = vshrq_n_u32(vreinterpretq_u32_f32(first.v[i]), 16);
    const uint32x4_t both = vorrq_u32(low, vreinterpretq_u32_f32(second.v[i]));
    vst1q_u16(pairs + 8 * i, vreinterpretq_u16_u32(both));
  }
}
inline void unpack_pairs(const int8_t* y, uint16_t* pairs) {
  store_pairs(pairs, to_float(load_int8(y)), to_float(load_int8(y + 16)));
}
inline void unpack_pairs(Wholes y, uint16_t* pairs) {
  store_pairs(pairs, to_float(widen(y.first)), to_float(widen(y.second)));
}

inline U load_bytes(const void* p) {
  return quarters<U>([&](int i) { return vld1q_u8(static_cast<const uint8_t*>(p) + 16 * i); });
}
inline void store_bytes(void* p, U x) {
  for (int i = 0; i < 4; ++i) vst1q_u8(static_cast<uint8_t*>(p) + 16 * i, x.v[i]);
}
template <int kMask>
inline U masked(U x) {
  return quarters<U>([&](int i) { return vandq_u8(x.v[i], vdupq_n_u8(kMask)); });
}
inline U low_nibbles(U x) {
  return masked<15>(x);
}
inline U high_nibbles(U x) {
  return quarters<U>([&](int i) { return vshrq_n_u8(x.v[i], 4); });
}
template <int kBits>  // negative: to the right
inline U shift_bytes_apart(U x) {
  if constexpr (kBits > 0) {
    return quarters<U>([&](int i) { return vshlq_n_u8(x.v[i], kBits); });
  } else if constexpr (kBits < 0) {
    return quarters<U>([&](int i) { return vshrq_n_u8(x.v[i], -kBits); });
  } else {
    return x;
  }
}
// x | (y & mask)
template <int kMask>
inline U or_masked(U x, U y) {
  return quarters<U>([&](int i) { return vorrq_u8(x.v[i], vandq_u8(y.v[i], vdupq_n_u8(kMask))); });
}
// (x & mask) | (y & ~mask)
template <int kMask>
inline U merged(U x, U y) {
  return quarters<U>([&](int i) { return vbslq_u8(vdupq_n_u8(kMask), x.v[i], y.v[i]); });
}
struct Table {
  uint8x16_t entries;
};
inline Table load_table(const uint8_t* p) {
  return {p == nullptr ? vdupq_n_u8(0) : vld1q_u8(p)};
}
inline U look_up(Table table, U index) {
  return quarters<U>([&](int i) { return vqtbl1q_u8(table.entries, index.v[i]); });
}

using Four = int8x16_t;  // four activations, in every lane
inline Four broadcast(const int8_t* q) {
  return vreinterpretq_s8_u32(vdupq_n_u32(word_at(q)));
}

// kDotRemovesOffset: whether `dot` takes 8-bit weights as value + 128 and sums the values.
// dot_quarter: acc[row] += sum over 4 k of w[row][k] * q[k]; kBits: of the weights.
#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr bool kDotRemovesOffset = false;
template <int kBits>
inline int32x4_t dot_quarter(int32x4_t acc, uint8x16_t w, Four q) {
  return vusdotq_s32(acc, w, q);
}
#else
constexpr bool kDotRemovesOffset = true;
template <int kBits>
inline int32x4_t dot_quarter(int32x4_t acc, uint8x16_t w, Four q) {
  const uint8x16_t value = kBits < 8 ? w : veorq_u8(w, vdupq_n_u8(128));
  return vdotq_s32(acc, vreinterpretq_s8_u8(value), q);
}
#endif
template <int kBits>
inline I dot(I acc, U w, Four q) {
  return quarters<I>([&](int i) { return dot_quarter<kBits>(acc.v[i], w.v[i], q); });
}

// Shapes for 32 registers, four to a value.
constexpr int kAttentionQueries = 4;
constexpr int attention_tokens(int queries) {
  return queries == 1 ? 2 : 1;
}
constexpr int stream_limit(Layout) {  // columns beyond which unpacking once pays
  return 24;
}
constexpr int gemm_columns(Layout l) {
  return l == Layout::w6k ? 1 : 2;
}
constexpr int kStreamColumns = 4;
constexpr int kBf16Rows = 2;
constexpr int kBf16Columns = 2;
constexpr int kSpreadColumns = 0;
constexpr int kFloatColumns = 6;
constexpr int kScreenColumns = 2;
constexpr int kScreenPays = 4;

}  // namespace
}  // namespace strata::tensor

#include "tensor/kernels/dot_each.h"
