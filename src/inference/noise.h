// Random numbers as a function of a counter: what is drawn for a token depends on the request's
// seed, the choice, the position and the token, and on nothing that ran before or beside it.
#pragma once

#include <cstdint>

namespace strata::inference {

// Finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
// OOPSLA 2014): a bijection in which every input bit changes each output bit half of the time.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

enum class NoiseUse : uint64_t { token = 1, xtc = 2 };

// One stream of numbers: that of one use at one position of one choice.
struct NoiseKey {
  uint64_t value = 0;
};

constexpr NoiseKey noise_key(uint64_t seed, uint64_t choice, uint64_t position, NoiseUse use) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;
  uint64_t key = mix64(seed + kGolden);
  key = mix64(key ^ (choice + 2 * kGolden));
  key = mix64(key ^ (position + 3 * kGolden));
  return {mix64(key ^ (static_cast<uint64_t>(use) + 4 * kGolden))};
}

// The index-th number of a stream, uniform in the open interval (0, 1), 53 bits.
constexpr double uniform(NoiseKey key, uint64_t index) {
  const uint64_t bits = mix64(key.value + (index + 1) * 0x9E3779B97F4A7C15u) >> 11;
  return (static_cast<double>(bits) + 0.5) * 0x1p-53;
}

}  // namespace strata::inference
