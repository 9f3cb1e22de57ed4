// Sixteen float lanes in plain C++: the reference of the row operations and of attention.
#pragma once

#include "tensor/kernels.h"
#include "tensor/kernels/wholes.h"

namespace strata::tensor {
namespace {

struct F {
  float v[16];
};

template <class Op>
inline F each(Op op) {
  F r;
  for (int i = 0; i < 16; ++i) r.v[i] = op(i);
  return r;
}

inline float bits_to_float(uint32_t u) {
  return __builtin_bit_cast(float, u);
}
inline F load(const float* p) {
  return each([&](int i) { return p[i]; });
}
inline F load_part(const float* p, int64_t n) {
  return each([&](int i) { return i < n ? p[i] : 0.0f; });
}
inline void store(float* p, F a) {
  for (int i = 0; i < 16; ++i) p[i] = a.v[i];
}
inline void store_part(float* p, F a, int64_t n) {
  for (int i = 0; i < 16 && i < n; ++i) p[i] = a.v[i];
}
inline F set1(float x) {
  return each([&](int) { return x; });
}
inline F fma(F a, F b, F c) {
  return each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
inline F add(F a, F b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
inline F sub(F a, F b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
inline F mul(F a, F b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
inline F div(F a, F b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
// As the processor's: the second operand where either is NaN.
inline F max(F a, F b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F min(F a, F b) {
  return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline F abs(F a) {
  return each([&](int i) { return __builtin_fabsf(a.v[i]); });
}
inline F round_even(F a) {
  return each([&](int i) { return __builtin_rintf(a.v[i]); });
}
// x where a < b, else y.
inline F select_less(F a, F b, F x, F y) {
  return each([&](int i) { return a.v[i] < b.v[i] ? x.v[i] : y.v[i]; });
}
// x in lanes [first, last], else y.
inline F select_range(int first, int last, F x, F y) {
  return each([&](int i) { return i >= first && i <= last ? x.v[i] : y.v[i]; });
}
// 2^n for whole n from -126 to 127.
inline F power_of_two(F n) {
  return each([&](int i) {
    const float x = n.v[i];
    if (!(x >= -126.0f && x <= 127.0f)) return x;
    return bits_to_float(static_cast<uint32_t>(static_cast<int>(x) + 127) << 23);
  });
}
inline float sum(F a) {
  float t[8];
  for (int i = 0; i < 8; ++i) t[i] = a.v[i] + a.v[i + 8];
  for (int i = 0; i < 4; ++i) t[i] += t[i + 4];
  for (int i = 0; i < 2; ++i) t[i] += t[i + 2];
  return t[0] + t[1];
}
inline float maximum(F a) {
  float m = a.v[0];
  for (int i = 1; i < 16; ++i) m = m > a.v[i] ? m : a.v[i];
  return m;
}
// Times the Hadamard matrix of 16: sums and differences of lanes 8 apart, then 4, 2 and 1.
inline F hadamard(F a) {
  for (int apart = 8; apart > 0; apart /= 2) {
    a = each([&](int i) {
      const float other = a.v[i ^ apart];
      return (i & apart) == 0 ? other + a.v[i] : other - a.v[i];
    });
  }
  return a;
}
// Rounded to int8; NaN and what does not fit become -128.
inline int32_t store_int8(int8_t* p, F a) {  // returns the sum
  int32_t total = 0;
  for (int i = 0; i < 16; ++i) {
    const float x = __builtin_rintf(a.v[i]);
    p[i] = x >= -128.0f && x <= 127.0f ? static_cast<int8_t>(x) : int8_t{-128};
    total += p[i];
  }
  return total;
}
inline uint16_t bf16_of(float x) {
  const auto u = __builtin_bit_cast(uint32_t, x);
  if ((u & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((u >> 16) | 0x40U);
  return static_cast<uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
}
inline void store_bf16(uint16_t* p, F a) {
  for (int i = 0; i < 16; ++i) p[i] = bf16_of(a.v[i]);
}
// acc[i] += x[0] * y[i][0] + x[1] * y[i][1], y being 16 pairs of bf16 and x one pair.
inline F dot_bf16(F acc, const uint16_t* y, const uint16_t* x) {
  const float x0 = bits_to_float(static_cast<uint32_t>(x[0]) << 16);
  const float x1 = bits_to_float(static_cast<uint32_t>(x[1]) << 16);
  return each([&](int i) {
    const float y0 = bits_to_float(static_cast<uint32_t>(y[2 * i]) << 16);
    const float y1 = bits_to_float(static_cast<uint32_t>(y[2 * i + 1]) << 16);
    return __builtin_fmaf(x1, y1, __builtin_fmaf(x0, y0, acc.v[i]));
  });
}
using Factor = uint16_t;  // the broadcast side of dot_pair
inline F dot_pair(F acc, const uint16_t* y, const Factor* x) {
  return dot_bf16(acc, y, x);
}
// The same with whole numbers: the first of each of 16 pairs, then the second of each.
inline F dot_pair(F acc, const int8_t* y, const Factor* x) {
  const float x0 = bits_to_float(static_cast<uint32_t>(x[0]) << 16);
  const float x1 = bits_to_float(static_cast<uint32_t>(x[1]) << 16);
  return each([&](int i) {
    const auto y0 = static_cast<float>(y[i]);
    const auto y1 = static_cast<float>(y[16 + i]);
    return __builtin_fmaf(x1, y1, __builtin_fmaf(x0, y0, acc.v[i]));
  });
}
inline F dot_pair(F acc, Wholes y, const Factor* x) {
  return dot_pair(acc, reinterpret_cast<const int8_t*>(&y), x);
}
// Such numbers to 16 pairs of bf16, which holds them exactly.
inline void unpack_pairs(const int8_t* y, uint16_t* pairs) {
  for (int i = 0; i < 16; ++i) {
    pairs[2 * i] = bf16_of(static_cast<float>(y[i]));
    pairs[2 * i + 1] = bf16_of(static_cast<float>(y[16 + i]));
  }
}
inline void unpack_pairs(Wholes y, uint16_t* pairs) {
  unpack_pairs(reinterpret_cast<const int8_t*>(&y), pairs);
}
inline void store_factors(Factor* p, F x) {
  store_bf16(p, x);
}
inline void prefetch(const void*) {}
inline void prefetch_l2(const void*) {}

constexpr int kAttentionQueries = 4;   // most queries of an attention tile
constexpr int attention_tokens(int) {  // registers of 16 tokens (dims) beside so many queries
  return 1;
}

constexpr int kFloatColumns = 4;

}  // namespace
}  // namespace strata::tensor

#include "tensor/kernels/dot_each.h"
