// The table of searches (tensor/searches.h) as the instruction set of the including file runs them.
#pragma once

#include "tensor/kernels/search_super.h"
#include "tensor/searches.h"

namespace strata::tensor {
namespace {

constexpr int kBlock = 32;

template <class Levels, int n, int low, int high, int n_steps>
void find_scaled(const float* x, const float* w, ScaledBlock& found) {
  const SuperBlock<n> block(x, w);
  ScaleSearch<Levels, n, low, high>(block, n_steps).store(found);
}

template <int top, int n, int high>
void find_lined(const float* x, const float* w, LinedBlock& found) {
  const SuperBlock<n> block(x, w);
  LineSearch<top, n, high>(block, 9).store(found);
}

inline F8 nearest_halves(F8 x) {
  float lanes[kSearchLanes];
  for (int i = 0; i < kSearchLanes; ++i) lanes[i] = nearest_half(x[i]);
  return load8(lanes);
}

template <class Levels, int n_steps>
void find_eight(const float* x, const float* w, EightBlocks& found) {
  Groups<kBlock> groups;
  groups.load(x, w);
  const F8 scale = nearest_halves(fit_scale<Levels>(groups, n_steps));
  memcpy(found.scales, scale.v, sizeof(found.scales));
  levels_of<Levels>(groups, scale, all(0.0f), found.levels);
}

template <int top>
void find_eight_lined(const float* x, const float* w, EightBlocks& found) {
  Groups<kBlock> groups;
  groups.load(x, w);
  const Line line = fit_line<top>(groups, false, 9);
  const F8 scale = nearest_halves(line.scale);
  const F8 min = nearest_halves(line.min);
  memcpy(found.scales, scale.v, sizeof(found.scales));
  memcpy(found.mins, min.v, sizeof(found.mins));
  levels_of<Whole<0, top>>(groups, scale, min, found.levels);
}

// 2^exponent of each lane, from 2^-126 on.
inline F8 power_of_two(const int* exponents) {
  float lanes[kSearchLanes];
  for (int i = 0; i < kSearchLanes; ++i) {
    int exponent = exponents[i] < -126 ? -126 : exponents[i];
    exponent = exponent > 126 ? 126 : exponent;
    const int32_t bits = (exponent + 127) << 23;
    memcpy(&lanes[i], &bits, sizeof(bits));
  }
  return load8(lanes);
}

// The scale is a power of two: of the three around the greatest weight the one with the least
// error.
void find_mxfp4(const float* x, const float* w, EightBlocks& found) {
  Groups<kBlock> groups;
  groups.load(x, w);
  F8 extreme = all(0.0f);
  for (int j = 0; j < kBlock; ++j) extreme = higher(extreme, magnitude(groups.x(j)));
  F8 scale = all(1.0f);
  F8 least = all(FLT_MAX);
  for (int step = 0; step <= 2; ++step) {
    int exponents[kSearchLanes];
    for (int i = 0; i < kSearchLanes; ++i) {
      const float greatest = extreme[i];
      int32_t bits = 0;
      memcpy(&bits, &greatest, sizeof(bits));
      // With step 0 the greatest weight is between 8 and 16 of the doubled values.
      exponents[i] = (bits >> 23) - 127 - 3 + step;
    }
    const F8 tried = power_of_two(exponents);
    const F8 error = error_of<E2m1>(groups, tried);
    const Mask better = error < least;
    least = select(better, error, least);
    scale = select(better, tried, scale);
  }
  memcpy(found.scales, scale.v, sizeof(found.scales));
  levels_of<E2m1>(groups, scale, all(0.0f), found.levels);
}

constexpr SearchSet kSearchSet{
    .q2_k = find_lined<3, 16, 15>,
    .q3_k = find_scaled<Whole<-4, 3>, 16, -32, 31, 6>,
    .q4_k = find_lined<15, 32, 63>,
    .q5_k = find_lined<31, 32, 63>,
    .q6_k = find_scaled<Whole<-32, 31>, 16, -128, 127, 6>,
    .iq4_xs = find_scaled<Book, 32, -32, 31, 7>,
    .q4_0 = find_eight<Whole<-8, 7>, 9>,
    .q4_1 = find_eight_lined<15>,
    .q5_0 = find_eight<Whole<-16, 15>, 9>,
    .q5_1 = find_eight_lined<31>,
    .iq4_nl = find_eight<Book, 8>,
    .mxfp4 = find_mxfp4,
};

}  // namespace
}  // namespace strata::tensor
