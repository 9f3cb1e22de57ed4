// Searches of scales: what a block's few numbers must be so that the weighted squared error of what
// it gives back is least.
//
// With the codes q of a group given, the best scale d of sum w (x - d q)^2 is a quotient,
//   d = sum w x q / sum w q^2,
// and takes (sum w x q)^2 / sum w q^2 off the error of giving back zeros; with a minimum, x = d q +
// m is a weighted straight line. With the scale given, the best code of a weight is the nearest
// level. So a group's codes are made from some first scales around the one that just holds the
// greatest weight, each is answered by its best scale, and the best of all is bettered by turns.
#pragma once

#include "tensor/kernels/search_lanes.h"

namespace strata::tensor {
namespace {

// Levels low, low + 1, … high.
template <int low, int high>
struct Whole {
  static constexpr float kLow = low, kHigh = high;
  static constexpr float kStep = 0.1f;  // between two first scales, in levels
  static F8 nearest(F8 x) { return nearest_whole(clamp(x, all(kLow), all(kHigh))); }
};

// The 16 levels of IQ4_NL and IQ4_XS.
struct Book {
  static constexpr int8_t kTable[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};
  static constexpr float kLow = kTable[0], kHigh = kTable[15];
  static constexpr float kStep = 1.0f;
  static F8 nearest(F8 x) {
    F8 level = all(kLow);
    for (int i = 0; i < 15; ++i) {
      const float between = 0.5f * static_cast<float>(kTable[i] + kTable[i + 1]);
      const F8 step = all(static_cast<float>(kTable[i + 1] - kTable[i]));
      level += select(x > between, step, all(0.0f));
    }
    return level;
  }
};

// The error of a group with this scale.
template <class Levels, int n>
F8 error_of(const Groups<n>& groups, F8 scale) {
  const F8 id = inverse(scale);
  F8 error = all(0.0f);
  for (int j = 0; j < n; ++j) {
    const F8 off = groups.x(j) - scale * Levels::nearest(groups.x(j) * id);
    error += groups.w(j) * off * off;
  }
  return error;
}

// The doubled values of E2M1 (MXFP4), 0 1 2 3 4 6 8 12 and their negatives: whole below 4, then the
// step doubles with the power of two. Adding 1.5 * 2^22 times that power rounds to half of it.
struct E2m1 {
  static F8 nearest(F8 x) {
    const F8 within = clamp(x, all(-12.0f), all(12.0f));
    const F8 power = masked(higher(magnitude(within), all(2.0f)), 0x7F800000);
    const F8 shift = power * 0x1.8p22f;
    return (within + shift) - shift;
  }
};

struct ScaleGain {
  F8 scale;
  F8 gain;  // what it takes off the error
};

// The best scale for the codes that a first scale, given by its inverse, makes.
template <class Levels, int n>
ScaleGain answer(const Groups<n>& groups, F8 id) {
  F8 xq = all(0.0f);
  F8 qq = all(0.0f);
  for (int j = 0; j < n; ++j) {
    const F8 q = Levels::nearest(groups.x(j) * id);
    const F8 wq = groups.w(j) * q;
    xq += wq * groups.x(j);
    qq += wq * q;
  }
  const F8 scale = xq * inverse(qq);
  return {scale, scale * xq};
}

inline void keep_better(ScaleGain& best, const ScaleGain& other) {
  const Mask better = other.gain > best.gain;
  best.scale = select(better, other.scale, best.scale);
  best.gain = select(better, other.gain, best.gain);
}

// The best scale of each group; 0 for a group of zeros.
template <class Levels, int n>
F8 fit_scale(const Groups<n>& groups, int n_steps) {
  F8 extreme = all(0.0f);  // the weight of the greatest magnitude, with its sign
  for (int j = 0; j < n; ++j) {
    extreme = select(magnitude(groups.x(j)) > magnitude(extreme), groups.x(j), extreme);
  }
  const F8 per_extreme = inverse(extreme);
  ScaleGain best{all(0.0f), all(0.0f)};
  // Its level is the lowest or the highest, give or take a level.
  const float ends[] = {Levels::kLow, Levels::kHigh};
  for (const float end : ends) {
    for (int step = -n_steps; step <= n_steps; ++step) {
      const float level = end + static_cast<float>(step) * Levels::kStep;
      keep_better(best, answer<Levels>(groups, per_extreme * level));
    }
  }
  for (int turn = 0; turn < 2; ++turn) {
    keep_better(best, answer<Levels>(groups, inverse(best.scale)));
  }
  return best.scale;
}

struct Line {
  F8 scale;
  F8 min;
};

// The best line for the codes 0 to top that a first one makes; min is at most 0 where only_below.
template <int top, int n>
void better_line(const Groups<n>& groups, F8 id, F8 first_min, bool only_below, Line& best,
                 F8& best_gain) {
  F8 w = all(0.0f), wx = all(0.0f), wq = all(0.0f), wqq = all(0.0f), wxq = all(0.0f);
  for (int j = 0; j < n; ++j) {
    const F8 q = Whole<0, top>::nearest((groups.x(j) - first_min) * id);
    const F8 count = groups.w(j);
    w += count;
    wx += count * groups.x(j);
    wq += count * q;
    wqq += count * q * q;
    wxq += count * q * groups.x(j);
  }
  const F8 per_determinant = inverse(w * wqq - wq * wq);
  F8 scale = (w * wxq - wx * wq) * per_determinant;
  F8 min = (wqq * wx - wq * wxq) * per_determinant;
  if (only_below) {
    const Mask above = min > 0.0f;
    scale = select(above, wxq * inverse(wqq), scale);
    min = select(above, all(0.0f), min);
  }
  const F8 gain = scale * wxq + min * wx;
  const Mask better = (gain > best_gain) & (scale > 0.0f);
  best.scale = select(better, scale, best.scale);
  best.min = select(better, min, best.min);
  best_gain = select(better, gain, best_gain);
}

// The best line of each group.
template <int top, int n>
Line fit_line(const Groups<n>& groups, bool only_below, int n_steps) {
  F8 min = groups.x(0);
  F8 max = groups.x(0);
  for (int j = 1; j < n; ++j) {
    min = lower(groups.x(j), min);
    max = higher(groups.x(j), max);
  }
  if (only_below) min = lower(min, all(0.0f));
  const F8 spread = max - min;
  const F8 per_spread = inverse(spread);
  Line best{spread * (1.0f / static_cast<float>(top)), min};
  F8 gain = all(-1e38f);
  for (int step = -n_steps; step <= n_steps; ++step) {
    const float levels = static_cast<float>(top) + 0.1f * static_cast<float>(step);
    better_line<top>(groups, per_spread * levels, min, only_below, best, gain);
  }
  for (int turn = 0; turn < 2; ++turn) {
    const Line before = best;
    better_line<top>(groups, inverse(before.scale), before.min, only_below, best, gain);
  }
  return best;
}

// The error of a group with this line.
template <int top, int n>
F8 error_of_line(const Groups<n>& groups, F8 scale, F8 min) {
  const F8 id = inverse(scale);
  F8 error = all(0.0f);
  for (int j = 0; j < n; ++j) {
    const F8 off = groups.x(j) - min;
    const F8 rest = off - scale * Whole<0, top>::nearest(off * id);
    error += groups.w(j) * rest * rest;
  }
  return error;
}

// The levels of each group's weights, n a group, that give back most nearly.
template <class Levels, int n>
void levels_of(const Groups<n>& groups, F8 scale, F8 min, int8_t* levels) {
  const F8 id = inverse(scale);
  for (int j = 0; j < n; ++j) {
    const F8 found = Levels::nearest((groups.x(j) - min) * id);
    float lanes[kSearchLanes];
    memcpy(lanes, found.v, sizeof(lanes));
    for (int lane = 0; lane < kSearchLanes; ++lane) {
      levels[lane * n + j] = static_cast<int8_t>(static_cast<int>(lanes[lane]));
    }
  }
}

}  // namespace
}  // namespace strata::tensor
