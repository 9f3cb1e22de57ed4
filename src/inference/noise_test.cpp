#include "inference/noise.h"

#include <array>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

// Chi-squared of 64 bins; 63 degrees of freedom: above 117 once in 20,000 for true uniform numbers.
double chi_squared(const std::function<double(uint64_t)>& number) {
  std::array<double, 64> bins{};
  constexpr int kNumbers = 64000;
  for (uint64_t i = 0; i < kNumbers; ++i) bins[static_cast<size_t>(number(i) * 64.0)] += 1.0;
  double sum = 0.0;
  for (double count : bins) sum += (count - 1000.0) * (count - 1000.0) / 1000.0;
  return sum;
}

TEST(Noise, uniform_along_every_argument) {
  const auto at = [](uint64_t seed, uint64_t choice, uint64_t position, uint64_t id) {
    return uniform(noise_key(seed, choice, position, NoiseUse::token), id);
  };
  EXPECT_LT(chi_squared([&](uint64_t i) { return at(i, 0, 10, 5); }), 117);
  EXPECT_LT(chi_squared([&](uint64_t i) { return at(1, i, 10, 5); }), 117);
  EXPECT_LT(chi_squared([&](uint64_t i) { return at(1, 0, i, 5); }), 117);
  EXPECT_LT(chi_squared([&](uint64_t i) { return at(1, 0, 10, i); }), 117);
}

TEST(Noise, neighbours_are_not_correlated) {
  double along_ids = 0.0, along_positions = 0.0;
  constexpr int kNumbers = 100000;
  for (uint64_t i = 0; i < kNumbers; ++i) {
    const NoiseKey here = noise_key(3, 0, i, NoiseUse::token);
    const NoiseKey next = noise_key(3, 0, i + 1, NoiseUse::token);
    along_positions += (uniform(here, 9) - 0.5) * (uniform(next, 9) - 0.5);
    along_ids += (uniform({7}, i) - 0.5) * (uniform({7}, i + 1) - 0.5);
  }
  // A product has a standard deviation of 1/12; four of the mean's.
  const double bound = 4.0 / 12.0 / std::sqrt(static_cast<double>(kNumbers));
  EXPECT_LT(std::abs(along_ids / kNumbers), bound);
  EXPECT_LT(std::abs(along_positions / kNumbers), bound);
}

TEST(Noise, never_zero_or_one_and_the_same_for_ever) {
  EXPECT_GT(uniform({0}, 0), 0.0);
  for (uint64_t i = 0; i < 100000; ++i) {
    const double u = uniform({i}, i);
    ASSERT_TRUE(u > 0.0 && u < 1.0);
  }
  EXPECT_NE(noise_key(1, 0, 0, NoiseUse::token).value, noise_key(1, 0, 0, NoiseUse::xtc).value);
  // Kept seeds must give the answers they gave: this value is part of the format.
  EXPECT_EQ(noise_key(42, 1, 7, NoiseUse::token).value, 8686742474235479166u);
}

}  // namespace
}  // namespace strata::inference
