#include "inference/block/rope.h"

#include <algorithm>
#include <cmath>

namespace strata::inference {

namespace {

constexpr double kTwoPi = 6.283185307179586;

// The share of the scaled frequency in pair i: 0 below the first of the pairs that YaRN blends, 1
// above the last.
class YarnRamp {
 public:
  explicit YarnRamp(const models::Rope& rope) {
    if (rope.yarn.first_context == 0) return;
    const auto pair_that_turns = [&](double times) {
      return rope.n_dims * std::log(rope.yarn.first_context / (times * kTwoPi)) /
             (2 * std::log(static_cast<double>(rope.base)));
    };
    first_ = pair_that_turns(static_cast<double>(rope.yarn.beta_fast));
    last_ = pair_that_turns(static_cast<double>(rope.yarn.beta_slow));
    if (rope.yarn.whole_pairs) {
      first_ = std::floor(first_);
      last_ = std::ceil(last_);
    }
    first_ = std::max(first_, 0.0);
    last_ = std::min(last_, rope.n_dims - 1.0);
  }
  double at(int32_t i) const {
    return std::clamp((i - first_) / std::max(last_ - first_, 0.001), 0.0, 1.0);
  }

 private:
  double first_ = -1;  // without YaRN every pair is scaled
  double last_ = -1;
};

std::vector<double> frequencies(const models::Rope& rope, std::span<const float> divisors) {
  std::vector<double> frequencies;
  const YarnRamp ramp(rope);
  for (int32_t i = 0; i < rope.n_dims / 2; ++i) {
    double frequency = std::pow(static_cast<double>(rope.base), -2.0 * i / rope.n_dims);
    if (!divisors.empty()) frequency /= static_cast<double>(divisors[static_cast<size_t>(i)]);
    const double scaled = frequency * static_cast<double>(rope.position_scale);
    const double share = ramp.at(i);
    frequencies.push_back((1 - share) * frequency + share * scaled);
  }
  return frequencies;
}

}  // namespace

RopeAngles::RopeAngles(const models::Rope& rope, std::span<const float> divisors,
                       std::span<const float> long_divisors)
    : magnitude_(static_cast<double>(rope.yarn.magnitude)),
      growth_(rope.growth),
      base_(static_cast<double>(rope.base)) {
  if (rope.kind == models::RopeKind::none) return;
  frequencies_ = frequencies(rope, divisors);
  if (!long_divisors.empty()) long_frequencies_ = frequencies(rope, long_divisors);
}

double RopeAngles::grown_base(int32_t length) const {
  const double factor = static_cast<double>(growth_.factor);
  const double stretch = factor * length / growth_.first_context - (factor - 1);
  const double n_pairs = static_cast<double>(frequencies_.size());
  return base_ * std::pow(stretch, n_pairs / (n_pairs - 1));
}

void RopeAngles::at(int32_t position, int32_t long_text, float* cosines, float* sines) const {
  const auto& own = long_text > 0 && !long_frequencies_.empty() ? long_frequencies_ : frequencies_;
  const int32_t length = std::max(long_text, position + 1);
  const bool grows = growth_.factor > 0.0f && length > growth_.first_context;
  const double base = grows ? grown_base(length) : 0;
  for (size_t i = 0; i < own.size(); ++i) {
    const double frequency =
        grows ? std::pow(base, -static_cast<double>(i) / static_cast<double>(own.size())) : own[i];
    const double angle = position * frequency;
    cosines[i] = static_cast<float>(magnitude_ * std::cos(angle));
    sines[i] = static_cast<float>(magnitude_ * std::sin(angle));
  }
}

}  // namespace strata::inference
