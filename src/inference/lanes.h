// Four floats at a time, by the compiler's vector types: plain arithmetic that runs in
// vectors on every machine, with the same bits everywhere.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace strata::inference {

constexpr size_t kLanes = 4;
using Lanes [[gnu::vector_size(16)]] = float;
using LaneBits [[gnu::vector_size(16)]] = int32_t;

inline Lanes load_lanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline Lanes fill_lanes(float value) {
  return Lanes{} + value;
}

// Where b is NaN: a.
inline Lanes greater(Lanes a, Lanes b) {
  return b > a ? b : a;
}

// exp(x) for x <= 0 within 2 units in the last place; 0 below -87 and for NaN.
// x = n ln 2 + r with |r| <= ln 2 / 2; polynomial of degree 7 (Moshier, Cephes, expf).
inline Lanes exp_nonpositive(Lanes x) {
  const Lanes smallest = fill_lanes(-87.0f);
  const Lanes clamped = greater(smallest, x);
  const Lanes rounded = clamped * 1.44269504088896341f + 12582912.0f;  // 1.5 * 2^23: rounds
  const Lanes n = rounded - 12582912.0f;
  Lanes r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const LaneBits exponent = std::bit_cast<LaneBits>(rounded) - 0x4B400000 + 127;
  const Lanes scaled = p * std::bit_cast<Lanes>(exponent << 23);
  return x >= smallest ? scaled : Lanes{};
}

}  // namespace strata::inference
