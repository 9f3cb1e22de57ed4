// The searches of scales behind quantize_row: one table of functions an instruction set, chosen
// once, as the kernels (tensor/kernels.h). Every set finds the same bits. What they find is
// numbers; the blocks' bits are put together in quantize_k.cpp and quantize_32.cpp.
#pragma once

#include <stdint.h>

namespace strata::tensor {

constexpr int kSearched = 256;  // weights that one search takes

// A block of 256 in groups of 16 or 32: weight = unit * scale * level.
struct ScaledBlock {
  float unit = 0.0f;  // a half float's value
  int8_t scales[16] = {};
  int8_t levels[kSearched] = {};
};
// weight = unit * scale * level - min_unit * min
struct LinedBlock {
  float unit = 0.0f, min_unit = 0.0f;  // half floats' values
  int8_t scales[16] = {}, mins[16] = {};
  int8_t levels[kSearched] = {};
};
// Eight blocks of 32: weight = scale * level + min, both half floats' values (MXFP4: a power of
// two).
struct EightBlocks {
  float scales[8] = {}, mins[8] = {};
  int8_t levels[kSearched] = {};
};

// 256 weights, and how much the error of each counts: finite, below 1e9 in magnitude.
struct SearchSet {
  void (*q2_k)(const float* x, const float* w, LinedBlock& found);
  void (*q3_k)(const float* x, const float* w, ScaledBlock& found);
  void (*q4_k)(const float* x, const float* w, LinedBlock& found);
  void (*q5_k)(const float* x, const float* w, LinedBlock& found);
  void (*q6_k)(const float* x, const float* w, ScaledBlock& found);
  void (*iq4_xs)(const float* x, const float* w, ScaledBlock& found);
  void (*q4_0)(const float* x, const float* w, EightBlocks& found);
  void (*q4_1)(const float* x, const float* w, EightBlocks& found);
  void (*q5_0)(const float* x, const float* w, EightBlocks& found);
  void (*q5_1)(const float* x, const float* w, EightBlocks& found);
  void (*iq4_nl)(const float* x, const float* w, EightBlocks& found);
  void (*mxfp4)(const float* x, const float* w, EightBlocks& found);
};

const SearchSet& generic_searches();
#if defined(__x86_64__)
const SearchSet& avx2_searches();
#endif
const SearchSet& searches();  // the fastest that this processor runs

// The nearest half float's value; one function for all sets, compiled for every processor.
float nearest_half(float x);

}  // namespace strata::tensor
