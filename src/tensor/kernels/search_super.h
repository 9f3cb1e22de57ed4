// Blocks of 256 weights in groups that share one half float as the unit of their scales (and a
// second one as that of their minima): which whole scales and which unit.
#pragma once

#include <float.h>

#include "tensor/kernels/search_scales.h"
#include "tensor/searches.h"

namespace strata::tensor {
namespace {

constexpr float kSteps[] = {0.0f, -1.0f, 1.0f};  // to a whole number and its neighbours
constexpr int kRounds = 3;  // units tried: the first guess, then the best for the codes before

template <int n>
struct SuperBlock {
  static constexpr int kBatches = kSearched / n / kSearchLanes;
  Groups<n> batch[kBatches];

  SuperBlock(const float* x, const float* w) {
    for (int b = 0; b < kBatches; ++b) {
      batch[b].load(x + b * kSearchLanes * n, w + b * kSearchLanes * n);
    }
  }
};

inline void store_whole(F8 numbers, int8_t* out) {
  for (int i = 0; i < kSearchLanes; ++i) out[i] = static_cast<int8_t>(static_cast<int>(numbers[i]));
}
inline float greater(float x, float y) {
  return x > y ? x : y;
}

template <int n>
struct ScaleChoice {
  float unit = 0.0f;  // a half float's value
  F8 scales[SuperBlock<n>::kBatches];
  float error = 0.0f;
};

// Whole scales from low to high, low being the negative end of greater magnitude.
template <class Levels, int n, int low, int high>
class ScaleSearch {
 public:
  using Choice = ScaleChoice<n>;

  explicit ScaleSearch(const SuperBlock<n>& block, int n_steps) : block_(block) {
    float extreme = 0.0f;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      ideal_[b] = fit_scale<Levels>(block.batch[b], n_steps);
      for (int lane = 0; lane < kSearchLanes; ++lane) {
        const float ideal = ideal_[b][lane];
        if (greater(ideal, -ideal) > greater(extreme, -extreme)) extreme = ideal;
      }
    }
    float unit = extreme / static_cast<float>(low);
    for (int round = 0; round < kRounds; ++round) {
      const Choice found = with_unit(nearest_half(unit));
      if (round == 0 || found.error < best_.error) best_ = found;
      unit = best_unit(found);
    }
  }

  void store(ScaledBlock& out) const {
    out.unit = best_.unit;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      store_whole(best_.scales[b], out.scales + b * kSearchLanes);
      levels_of<Levels>(block_.batch[b], best_.scales[b] * best_.unit, all(0.0f),
                        out.levels + b * kSearchLanes * n);
    }
  }

 private:
  // Each group's best whole scale: the nearest to its ideal one, or a neighbour.
  Choice with_unit(float unit) const {
    Choice result;
    result.unit = unit;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      result.scales[b] = all(0.0f);
      const F8 nearest = nearest_whole(clamp(ideal_[b] * inverse(all(unit)), all(low), all(high)));
      F8 least = all(FLT_MAX);
      for (const float step : kSteps) {
        const F8 scale = clamp(nearest + step, all(low), all(high));
        const F8 error = error_of<Levels>(block_.batch[b], scale * unit);
        const Mask better = error < least;
        least = select(better, error, least);
        result.scales[b] = select(better, scale, result.scales[b]);
      }
      result.error += sum(least);
    }
    return result;
  }

  // The unit that is best for the codes and whole scales of a block.
  float best_unit(const Choice& found) const {
    F8 xq = all(0.0f);
    F8 qq = all(0.0f);
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      const auto& groups = block_.batch[b];
      const F8 id = inverse(found.scales[b] * found.unit);
      for (int j = 0; j < n; ++j) {
        const F8 q = found.scales[b] * Levels::nearest(groups.x(j) * id);
        xq += groups.w(j) * q * groups.x(j);
        qq += groups.w(j) * q * q;
      }
    }
    const float below = sum(qq);
    return below > 0.0f ? sum(xq) / below : found.unit;
  }

  const SuperBlock<n>& block_;
  F8 ideal_[SuperBlock<n>::kBatches];
  Choice best_;
};

template <int n>
struct LineChoice {
  float unit = 0.0f, min_unit = 0.0f;  // half floats' values
  F8 scales[SuperBlock<n>::kBatches];
  F8 mins[SuperBlock<n>::kBatches];
  float error = 0.0f;
};

// weight = unit * scale * code - min_unit * min, code from 0 to top, scale and min from 0 to high.
template <int top, int n, int high>
class LineSearch {
 public:
  using Choice = LineChoice<n>;

  LineSearch(const SuperBlock<n>& block, int n_steps) : block_(block) {
    float greatest = 0.0f;
    float lowest = 0.0f;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      ideal_[b] = fit_line<top>(block.batch[b], true, n_steps);
      for (int lane = 0; lane < kSearchLanes; ++lane) {
        greatest = greater(greatest, ideal_[b].scale[lane]);
        lowest = -greater(-lowest, -ideal_[b].min[lane]);
      }
    }
    float unit = greatest / static_cast<float>(high);
    float min_unit = -lowest / static_cast<float>(high);
    for (int round = 0; round < kRounds; ++round) {
      const Choice found = with_units(nearest_half(unit), nearest_half(min_unit));
      if (round == 0 || found.error < best_.error) best_ = found;
      best_units(found, unit, min_unit);
    }
  }

  void store(LinedBlock& out) const {
    out.unit = best_.unit;
    out.min_unit = best_.min_unit;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      store_whole(best_.scales[b], out.scales + b * kSearchLanes);
      store_whole(best_.mins[b], out.mins + b * kSearchLanes);
      levels_of<Whole<0, top>>(block_.batch[b], best_.scales[b] * best_.unit,
                               best_.mins[b] * -best_.min_unit, out.levels + b * kSearchLanes * n);
    }
  }

 private:
  // Each group's best pair of whole numbers: the nearest to its ideal line, or neighbours.
  Choice with_units(float unit, float min_unit) const {
    Choice result;
    result.unit = unit;
    result.min_unit = min_unit;
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      result.scales[b] = all(0.0f);
      result.mins[b] = all(0.0f);
      const auto whole = [](F8 x) { return nearest_whole(clamp(x, all(0.0f), all(high))); };
      const F8 scale0 = whole(ideal_[b].scale * inverse(all(unit)));
      const F8 min0 = whole(-ideal_[b].min * inverse(all(min_unit)));
      F8 least = all(FLT_MAX);
      for (const float step : kSteps) {
        for (const float min_step : kSteps) {
          const F8 scale = clamp(scale0 + step, all(0.0f), all(high));
          const F8 min = clamp(min0 + min_step, all(0.0f), all(high));
          const F8 error = error_of_line<top>(block_.batch[b], scale * unit, min * -min_unit);
          const Mask better = error < least;
          least = select(better, error, least);
          result.scales[b] = select(better, scale, result.scales[b]);
          result.mins[b] = select(better, min, result.mins[b]);
        }
      }
      result.error += sum(least);
    }
    return result;
  }

  // The two units that are best for the codes and whole numbers of a block: weighted least squares
  // of x = unit * a - min_unit * m, a = scale * code.
  void best_units(const Choice& found, float& unit, float& min_unit) const {
    F8 aa = all(0.0f), am = all(0.0f), mm = all(0.0f), xa = all(0.0f), xm = all(0.0f);
    for (int b = 0; b < SuperBlock<n>::kBatches; ++b) {
      const auto& groups = block_.batch[b];
      const F8 id = inverse(found.scales[b] * found.unit);
      const F8 shift = found.mins[b] * found.min_unit;
      for (int j = 0; j < n; ++j) {
        const F8 a = found.scales[b] * Whole<0, top>::nearest((groups.x(j) + shift) * id);
        aa += groups.w(j) * a * a;
        am += groups.w(j) * a * found.mins[b];
        mm += groups.w(j) * found.mins[b] * found.mins[b];
        xa += groups.w(j) * groups.x(j) * a;
        xm += groups.w(j) * groups.x(j) * found.mins[b];
      }
    }
    const float determinant = sum(aa) * sum(mm) - sum(am) * sum(am);
    if (!(determinant > 0.0f)) return;
    const float new_unit = (sum(xa) * sum(mm) - sum(xm) * sum(am)) / determinant;
    const float new_min = (sum(xa) * sum(am) - sum(xm) * sum(aa)) / determinant;
    if (!(new_unit > 0.0f && new_min >= 0.0f)) return;
    unit = new_unit;
    min_unit = new_min;
  }

  const SuperBlock<n>& block_;
  Line ideal_[SuperBlock<n>::kBatches];
  Choice best_;
};

}  // namespace
}  // namespace strata::tensor
