// From a slot of the spec to its bytes in the file.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/threads.h"
#include "models/family/spec.h"
#include "models/format/gguf.h"

namespace strata::models {

// The weights of one slot: `rows` rows of `cols` weights, contiguous, in the file's own encoding.
struct Weight {
  tensor::DType type = tensor::DType::f32;
  uint64_t rows = 0;
  uint64_t cols = 0;
  std::span<const std::byte> bytes;    // view into the file
  const TensorInfo* stored = nullptr;  // the whole tensor
};

// Error{invalid_argument} with the tensor's name when it is absent, has another shape than the slot
// says, or the slice does not fall on blocks.
Weight find_weight(const GgufFile& file, const TensorSlot& slot);

// All weights of a slot as float32, row after row.
std::vector<float> dequantize(const Weight& weight);

// Refuses a tensor that holds a scale (or, unquantised, a weight) that is NaN or infinite:
// Error{invalid_argument} with name and place. Reads the scales only. Packing calls it for each
// tensor it reads, so that no such number reaches a kernel.
void refuse_bad_scales(const TensorInfo& tensor);
void refuse_bad_scales(const TensorInfo& tensor, Team& team);  // the same, on all its threads

}  // namespace strata::models
