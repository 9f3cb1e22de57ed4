// Angles of rotary positions, for every executor alike: double until the last step, so that long
// contexts lose nothing (RoFormer, https://arxiv.org/abs/2104.09864, section 3.2.2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/family/spec.h"

namespace strata::inference {

class RopeAngles {
 public:
  RopeAngles() = default;
  // Divisors: n_dims / 2 values, or empty; long texts have those of all where they have none.
  RopeAngles(const models::Rope& rope, std::span<const float> divisors,
             std::span<const float> long_divisors);
  size_t n_pairs() const { return frequencies_.size(); }
  // cosines and sines, times YaRN's magnitude, hold n_pairs values each. long_text: of
  // Sequences::long_text.
  void at(int32_t position, int32_t long_text, float* cosines, float* sines) const;

  bool operator==(const RopeAngles&) const = default;

 private:
  double grown_base(int32_t length) const;

  std::vector<double> frequencies_;       // angle a position
  std::vector<double> long_frequencies_;  // of long texts; none: the same
  double magnitude_ = 1;                  // of YaRN
  models::BaseGrowth growth_;
  double base_ = 0;
};

}  // namespace strata::inference
