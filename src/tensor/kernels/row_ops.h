// Row operations over sixteen lanes, written once for every instruction set. Sums: element i goes
// to partial sum i % 16.
#pragma once

#include "tensor/kernels/lanes.h"

namespace strata::tensor {
namespace {

// e^x to 2 units in the last place; 0 below -87.3, at most e^88.3; NaN stays NaN.
// Cephes' scheme: x = n ln 2 + r, polynomial of degree 6 in r.
inline F exp(F x) {
  const F clamped = min(set1(88.3f), max(set1(-87.3f), x));
  const F n = round_even(mul(clamped, set1(1.44269504f)));
  F r = fma(n, set1(-0.693359375f), clamped);
  r = fma(n, set1(2.12194440e-4f), r);
  F p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = fma(p, mul(r, r), add(r, set1(1.0f)));
  return select_less(x, set1(-87.3f), set1(0.0f), mul(p, power_of_two(n)));
}

inline F sigmoid(F x) {
  return div(set1(1.0f), add(set1(1.0f), exp(sub(set1(0.0f), x))));
}

inline F tanh(F x) {
  const F e = exp(mul(x, set1(2.0f)));
  return sub(set1(1.0f), div(set1(2.0f), add(e, set1(1.0f))));
}

// Abramowitz and Stegun 7.1.26, error 1.5e-7.
inline F erf(F x) {
  const F a = abs(x);
  const F t = div(set1(1.0f), fma(a, set1(0.3275911f), set1(1.0f)));
  F p = set1(1.061405429f);
  p = fma(p, t, set1(-1.453152027f));
  p = fma(p, t, set1(1.421413741f));
  p = fma(p, t, set1(-0.284496736f));
  p = fma(p, t, set1(0.254829592f));
  const F y = sub(set1(1.0f), mul(mul(p, t), exp(sub(set1(0.0f), mul(a, a)))));
  return select_less(x, set1(0.0f), sub(set1(0.0f), y), y);
}

inline F activation(Activation kind, F x) {
  switch (kind) {
    case Activation::silu:
      return mul(x, sigmoid(x));
    case Activation::gelu_tanh: {  // x/2 (1 + tanh u) = x sigmoid(2 u), u = √(2/π)(x + 0.044715 x³)
      const F u = mul(x, fma(mul(x, x), set1(0.0713548163f), set1(1.59576912f)));
      return mul(x, sigmoid(u));
    }
    case Activation::gelu_erf: {
      const F half = mul(x, set1(0.5f));
      return fma(half, erf(mul(x, set1(0.707106781f))), half);
    }
    case Activation::relu:
      return max(x, set1(0.0f));
    case Activation::relu_squared: {
      const F r = max(x, set1(0.0f));
      return mul(r, r);
    }
    case Activation::none:
      break;
  }
  return x;
}

// Calls body(offset, count) for each 16 elements, the last with fewer.
template <class Body>
inline void by_sixteen(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, int64_t{16});
  if (i < n) body(i, n - i);
}
inline F load_up_to(const float* p, int64_t n) {
  return n == 16 ? load(p) : load_part(p, n);
}
inline void store_up_to(float* p, F a, int64_t n) {
  if (n == 16) {
    store(p, a);
  } else {
    store_part(p, a, n);
  }
}

void quantize_group(F a, F b, int8_t* q, GroupMeta* meta) {
  const float largest = maximum(max(abs(a), abs(b)));
  const bool zero = largest < 1e-30f;
  const float scale = zero ? 0.0f : largest / 127.0f;
  const F inverse = set1(zero ? 0.0f : 127.0f / largest);
  const int32_t low = store_int8(q, mul(a, inverse));
  const int32_t high = store_int8(q + 16, mul(b, inverse));
  meta->scale = scale;
  meta->scaled_sum = scale * static_cast<float>(low + high);
  meta->neg_sum = -(low + high);
  meta->neg_sum_lo = -low;
}

void quantize(const float* x, int64_t n, int64_t padded_n, int8_t* q, GroupMeta* meta) {
  GroupMeta* const first = meta;
  F nothing = set1(0.0f);  // NaN for what is not finite
  for (int64_t i = 0; i < padded_n; i += kGroup, ++meta) {
    const int64_t left = n - i;
    const F zero = set1(0.0f);
    const F a = left >= 16 ? load(x + i) : left > 0 ? load_part(x + i, left) : zero;
    const F b = left >= 32 ? load(x + i + 16) : left > 16 ? load_part(x + i + 16, left - 16) : zero;
    nothing = add(nothing, add(sub(a, a), sub(b, b)));
    quantize_group(a, b, q + i, meta);
  }
  // Every output has a product with each group, so one NaN makes all of them NaN in every set: what
  // q = -128 would give differs.
  if (sum(nothing) != 0.0f) first->scale = __builtin_nanf("");
}

float to_int8(const float* x, int64_t n, int8_t* q) {
  F tops = set1(0.0f);
  F nothing = set1(0.0f);  // NaN for what is not finite
  for (int64_t i = 0; i < n; i += 16) {
    const F a = load(x + i);
    tops = max(abs(a), tops);
    nothing = add(nothing, sub(a, a));
  }
  const float largest = maximum(tops);
  const bool zero = largest < 1.5e-36f;  // the scale would not be a normal number
  const F inverse = set1(zero ? 0.0f : 127.0f / largest);
  for (int64_t i = 0; i < n; i += 16) store_int8(q + i, mul(load(x + i), inverse));
  if (sum(nothing) != 0.0f) return __builtin_nanf("");
  return zero ? 0.0f : largest / 127.0f;
}

// n is 16 * 2^i: inside of each sixteen, then sums and differences of whole ones.
void rotate_block(int64_t n, float* x) {
  const F scale = set1(1.0f / __builtin_sqrtf(static_cast<float>(n)));
  for (int64_t i = 0; i < n; i += 16) store(x + i, hadamard(mul(load(x + i), scale)));
  for (int64_t half = 16; half < n; half *= 2) {
    for (int64_t i = 0; i < n; i += 16) {
      if ((i & half) != 0) continue;
      const F a = load(x + i);
      const F b = load(x + i + half);
      store(x + i, add(a, b));
      store(x + i + half, sub(a, b));
    }
  }
}

void rotate(int64_t n, float* x) {
  for (int64_t begin = 0; begin < n;) {
    int64_t size = 16;
    while (begin + 2 * size <= n) size *= 2;
    rotate_block(size, x + begin);
    begin += size;
  }
}

void to_bf16(const float* x, int64_t n, uint16_t* out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store_bf16(out + i, load(x + i));
  if (i < n) {
    uint16_t rest[16];
    store_bf16(rest, load_part(x + i, n - i));
    for (int64_t j = 0; i + j < n; ++j) out[i + j] = rest[j];
  }
}

void from_bf16(const uint16_t* x, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = __builtin_bit_cast(float, static_cast<uint32_t>(x[i]) << 16);
  }
}

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  F squares = set1(0.0f);
  by_sixteen(n, [&](int64_t i, int64_t count) {
    const F a = load_up_to(x + i, count);
    squares = fma(a, a, squares);
  });
  const float mean = sum(squares) / static_cast<float>(n);
  const F factor = set1(1.0f / __builtin_sqrtf(mean + epsilon));
  by_sixteen(n, [&](int64_t i, int64_t count) {
    F a = mul(load_up_to(x + i, count), factor);
    if (weight != nullptr) a = mul(a, load_up_to(weight + i, count));
    store_up_to(out + i, a, count);
  });
}

void layer_norm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon,
                float* out) {
  F total = set1(0.0f);
  by_sixteen(n, [&](int64_t i, int64_t count) { total = add(total, load_up_to(x + i, count)); });
  const float mean = sum(total) / static_cast<float>(n);
  F squares = set1(0.0f);
  by_sixteen(n, [&](int64_t i, int64_t count) {
    F d = sub(load_up_to(x + i, count), set1(mean));
    if (count < 16) d = select_range(0, static_cast<int>(count) - 1, d, set1(0.0f));
    squares = fma(d, d, squares);
  });
  const float variance = sum(squares) / static_cast<float>(n);
  const F factor = set1(1.0f / __builtin_sqrtf(variance + epsilon));
  by_sixteen(n, [&](int64_t i, int64_t count) {
    F a = mul(sub(load_up_to(x + i, count), set1(mean)), factor);
    if (weight != nullptr) a = mul(a, load_up_to(weight + i, count));
    if (bias != nullptr) a = add(a, load_up_to(bias + i, count));
    store_up_to(out + i, a, count);
  });
}

void add_rows(const float* x, int64_t n, float* out) {
  by_sixteen(n, [&](int64_t i, int64_t count) {
    store_up_to(out + i, add(load_up_to(out + i, count), load_up_to(x + i, count)), count);
  });
}

void scale_row(float factor, int64_t n, float* out) {
  by_sixteen(n, [&](int64_t i, int64_t count) {
    store_up_to(out + i, mul(load_up_to(out + i, count), set1(factor)), count);
  });
}

void activate(Activation kind, int64_t n, float* out) {
  by_sixteen(n, [&](int64_t i, int64_t count) {
    store_up_to(out + i, activation(kind, load_up_to(out + i, count)), count);
  });
}

void gate_row(Activation kind, const float* gates, const float* ups, int64_t n, float* out) {
  by_sixteen(n, [&](int64_t i, int64_t count) {
    const F g = activation(kind, load_up_to(gates + i, count));
    store_up_to(out + i, mul(g, load_up_to(ups + i, count)), count);
  });
}

inline F capped(float cap, F x) {
  return mul(set1(cap), tanh(div(x, set1(cap))));
}

void soft_cap(float cap, int64_t n, float* out) {
  by_sixteen(n, [&](int64_t i, int64_t count) {
    store_up_to(out + i, capped(cap, load_up_to(out + i, count)), count);
  });
}

void rope_adjacent(const float* cosine, const float* sine, int64_t n_pairs, float* x) {
  for (int64_t i = 0; i < n_pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = __builtin_fmaf(a, cosine[i], -(b * sine[i]));
    x[2 * i + 1] = __builtin_fmaf(b, cosine[i], a * sine[i]);
  }
}

void rope_halves(const float* cosine, const float* sine, int64_t n_pairs, float* x) {
  for (int64_t i = 0; i < n_pairs; ++i) {
    const float a = x[i];
    const float b = x[i + n_pairs];
    x[i] = __builtin_fmaf(a, cosine[i], -(b * sine[i]));
    x[i + n_pairs] = __builtin_fmaf(b, cosine[i], a * sine[i]);
  }
}

// kRows outputs at once, since one sum alone would wait for each of its additions.
template <int kRows>
void dots_of(const float* x, const float* rows, int64_t n, float* out) {
  F sums[kRows];
  for (F& s : sums) s = set1(0.0f);
  by_sixteen(n, [&](int64_t i, int64_t count) {
    const F a = load_up_to(x + i, count);
    for (int r = 0; r < kRows; ++r) sums[r] = fma(a, load_up_to(rows + r * n + i, count), sums[r]);
  });
  for (int r = 0; r < kRows; ++r) out[r] = sum(sums[r]);
}

void dots(const float* x, const float* rows, int64_t n_rows, int64_t n, float* out) {
  constexpr int kAtOnce = 4;
  int64_t r = 0;
  for (; r + kAtOnce <= n_rows; r += kAtOnce) dots_of<kAtOnce>(x, rows + r * n, n, out + r);
  for (; r < n_rows; ++r) dots_of<1>(x, rows + r * n, n, out + r);
}

// kSums * 16 elements from `out` on, or, with kSums of 1, `count` of them.
template <int kSums>
inline void add_weighted_part(const float* weights, const float* rows, int64_t n_rows,
                              int64_t stride, int64_t count, float* out) {
  F sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = load_up_to(out + 16 * i, count);
  for (int64_t k = 0; k < n_rows; ++k) {
    const F weight = set1(weights[k]);
    for (int i = 0; i < kSums; ++i) {
      sums[i] = fma(weight, load_up_to(rows + k * stride + 16 * i, count), sums[i]);
    }
  }
  for (int i = 0; i < kSums; ++i) store_up_to(out + 16 * i, sums[i], count);
}

void add_weighted(const float* weights, const float* rows, int64_t n_rows, int64_t stride,
                  int64_t n, float* out) {
  constexpr int kAtOnce = 4;
  int64_t i = 0;
  for (; i + 16 * kAtOnce <= n; i += 16 * kAtOnce) {
    add_weighted_part<kAtOnce>(weights, rows + i, n_rows, stride, 16, out + i);
  }
  for (; i < n; i += 16) {
    add_weighted_part<1>(weights, rows + i, n_rows, stride, n - i < 16 ? n - i : 16, out + i);
  }
}

int64_t argmax(const float* x, int64_t n) {
  F best = set1(-__builtin_inff());
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) best = max(load(x + i), best);
  float largest = maximum(best);
  for (; i < n; ++i) {
    if (x[i] > largest) largest = x[i];
  }
  for (i = 0; i < n; ++i) {
    if (x[i] == largest) return i;
  }
  return 0;
}

void merge(float max2, float sum2, const float* vector2, int64_t n, float* max1, float* sum1,
           float* vector1) {
  if (sum2 == 0.0f) return;  // a chunk of which nothing was seen
  if (*sum1 == 0.0f) {
    *max1 = max2;
    *sum1 = sum2;
    for (int64_t i = 0; i < n; i += 16) store(vector1 + i, load(vector2 + i));
    return;
  }
  const float top = *max1 > max2 ? *max1 : max2;
  const F factor1 = exp(set1(*max1 - top));
  const F factor2 = exp(set1(max2 - top));
  float f1[16];
  float f2[16];
  store(f1, factor1);
  store(f2, factor2);
  *max1 = top;
  *sum1 = __builtin_fmaf(sum2, f2[0], *sum1 * f1[0]);
  for (int64_t i = 0; i < n; i += 16) {
    store(vector1 + i, fma(load(vector2 + i), factor2, mul(load(vector1 + i), factor1)));
  }
}

void add_row_operations(KernelSet& set) {
  set.quantize = quantize;
  set.to_int8 = to_int8;
  set.rotate = rotate;
  set.to_bf16 = to_bf16;
  set.from_bf16 = from_bf16;
  set.rms_norm = rms_norm;
  set.layer_norm = layer_norm;
  set.add = add_rows;
  set.scale = scale_row;
  set.activate = activate;
  set.gate = gate_row;
  set.soft_cap = soft_cap;
  set.rope_adjacent = rope_adjacent;
  set.rope_halves = rope_halves;
  set.dots = dots;
  set.add_weighted = add_weighted;
  set.argmax = argmax;
  set.merge = merge;
}

}  // namespace
}  // namespace strata::tensor
