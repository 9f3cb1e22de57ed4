// Float32 to blocks: the other direction of dequant.h, for every type that models are written in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace strata::tensor {

// Whether quantize_row writes this type.
bool can_quantize(DType type);

// Converts n_weights floats (a multiple of the type's block) from `src` to blocks at `dst`.
//
// `importance` says how much the error of each weight counts, none negative; nullptr: all alike.
// What is minimised is sum over i of importance[i] * (src[i] - what the blocks give)^2.
//
// Q4_0, Q4_1, Q5_0, Q5_1 without importance and Q8_0 always are the bytes that llama.cpp writes:
// one formula, no search. F16 and BF16 round to nearest, ties to even. Every other type is searched
// (kernels/search_scales.h, search_super.h). The result is the same on every processor, whatever
// the threads.
//
// False when a weight is not finite or too large for the type, whose scales are half floats: what
// stands at `dst` is then of no use.
bool quantize_row(DType type, const float* src, std::byte* dst, int64_t n_weights,
                  const float* importance);

}  // namespace strata::tensor
