#include "inference/block/rope.h"

#include <cmath>

namespace strata::inference {

RopeAngles::RopeAngles(const models::Rope& rope, std::span<const float> divisors) {
  if (rope.kind == models::RopeKind::none) return;
  for (int32_t i = 0; i < rope.n_dims / 2; ++i) {
    double frequency = std::pow(static_cast<double>(rope.base), -2.0 * i / rope.n_dims);
    if (!divisors.empty()) frequency /= static_cast<double>(divisors[static_cast<size_t>(i)]);
    frequencies_.push_back(frequency * static_cast<double>(rope.position_scale));
  }
}

void RopeAngles::at(int32_t position, float* cosines, float* sines) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = position * frequencies_[i];
    cosines[i] = static_cast<float>(std::cos(angle));
    sines[i] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace strata::inference
