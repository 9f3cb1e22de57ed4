// Eight floats side by side, one of each of eight groups of weights: a search runs on eight groups
// at once and each lane is a plain scalar program, the same bits in every instruction set.
#pragma once

#include <stdint.h>
#include <string.h>

namespace strata::tensor {
namespace {

constexpr int kSearchLanes = 8;
// As wide as the registers: wider vectors the compiler takes apart badly.
#if defined(__AVX2__)
constexpr int kParts = 1;
#else
constexpr int kParts = 2;
#endif
using Part = float __attribute__((vector_size(32 / kParts)));
using PartMask = int32_t __attribute__((vector_size(32 / kParts)));

struct Mask {  // all ones where true
  PartMask v[kParts];
};
struct F8 {
  Part v[kParts];

  float operator[](int lane) const {
    float lanes[kSearchLanes];
    memcpy(lanes, v, sizeof(lanes));
    return lanes[lane];
  }
};

template <class F>
inline F8 each(F&& f) {
  F8 result;
  for (int i = 0; i < kParts; ++i) result.v[i] = f(i);
  return result;
}
template <class F>
inline Mask each_mask(F&& f) {
  Mask result;
  for (int i = 0; i < kParts; ++i) result.v[i] = f(i);
  return result;
}

inline F8 load8(const float* from) {
  F8 x;
  memcpy(x.v, from, sizeof(x.v));
  return x;
}
inline F8 all(float value) {
  return each([&](int) { return Part{} + value; });
}
inline F8 operator+(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] + y.v[i]; });
}
inline F8 operator-(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] - y.v[i]; });
}
inline F8 operator*(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] * y.v[i]; });
}
inline F8 operator/(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] / y.v[i]; });
}
inline F8 operator+(F8 x, float y) {
  return each([&](int i) { return x.v[i] + y; });
}
inline F8 operator*(F8 x, float y) {
  return each([&](int i) { return x.v[i] * y; });
}
inline F8 operator-(F8 x) {
  return each([&](int i) { return -x.v[i]; });
}
inline F8& operator+=(F8& x, F8 y) {
  return x = x + y;
}
inline Mask operator<(F8 x, F8 y) {
  return each_mask([&](int i) { return x.v[i] < y.v[i]; });
}
inline Mask operator>(F8 x, F8 y) {
  return y < x;
}
inline Mask operator>(F8 x, float y) {
  return each_mask([&](int i) { return x.v[i] > y; });
}
inline Mask operator&(Mask x, Mask y) {
  return each_mask([&](int i) { return x.v[i] & y.v[i]; });
}

inline F8 select(Mask mask, F8 yes, F8 no) {
  return each([&](int i) {
    return reinterpret_cast<Part>((reinterpret_cast<PartMask>(yes.v[i]) & mask.v[i]) |
                                  (reinterpret_cast<PartMask>(no.v[i]) & ~mask.v[i]));
  });
}
inline F8 lower(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] < y.v[i] ? x.v[i] : y.v[i]; });
}
inline F8 higher(F8 x, F8 y) {
  return each([&](int i) { return x.v[i] > y.v[i] ? x.v[i] : y.v[i]; });
}
inline F8 clamp(F8 x, F8 low, F8 high) {
  return lower(higher(x, low), high);
}
inline F8 masked(F8 x, int32_t bits) {
  return each(
      [&](int i) { return reinterpret_cast<Part>(reinterpret_cast<PartMask>(x.v[i]) & bits); });
}
inline F8 magnitude(F8 x) {
  return masked(x, 0x7FFFFFFF);
}
// To the nearest whole number, ties to even, for |x| < 2^22: beyond 2^23 floats are whole.
inline F8 nearest_whole(F8 x) {
  return (x + 0x1.8p23f) + -0x1.8p23f;
}
// 1 / x, and 0 where x is 0.
inline F8 inverse(F8 x) {
  const Mask some = each_mask([&](int i) { return x.v[i] != 0.0f; });
  return select(some, all(1.0f) / select(some, x, all(1.0f)), all(0.0f));
}
inline float sum(F8 x) {
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// Eight consecutive groups of n weights, and how much the error of each counts: weight j of each
// group side by side.
template <int n>
class Groups {
 public:
  void load(const float* weights, const float* counts) {
    for (int j = 0; j < n; ++j) {
      for (int lane = 0; lane < kSearchLanes; ++lane) {
        weights_[j * kSearchLanes + lane] = weights[lane * n + j];
        counts_[j * kSearchLanes + lane] = counts[lane * n + j];
      }
    }
  }
  F8 x(int j) const { return load8(weights_ + j * kSearchLanes); }
  F8 w(int j) const { return load8(counts_ + j * kSearchLanes); }

 private:
  alignas(32) float weights_[n * kSearchLanes];
  alignas(32) float counts_[n * kSearchLanes];
};

}  // namespace
}  // namespace strata::tensor
