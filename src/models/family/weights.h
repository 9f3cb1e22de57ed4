// From a slot of the spec to its bytes in the file.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/threads.h"
#include "models/family/spec.h"
#include "models/format/model_file.h"

namespace strata::models {

// Where the weights of one slot stand: `rows` rows of `cols` weights, contiguous, in the file's own
// encoding.
struct WeightPlace {
  const TensorInfo* stored = nullptr;  // the whole tensor
  uint64_t rows = 0;
  uint64_t cols = 0;
  uint64_t begin = 0;  // bytes of the stored tensor
  uint64_t size_bytes = 0;
  tensor::DType type() const { return stored->type; }
};

struct Weight {
  WeightPlace place;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // of the bytes; null: the file
};

// Reads metadata only. Error{invalid_argument} with the tensor's name when it is absent, has
// another shape than the slot says, or the slice does not fall on blocks.
WeightPlace locate_weight(const ModelFile& file, const TensorSlot& slot);
// The same with the bytes, which some files have to make first.
Weight find_weight(const ModelFile& file, const TensorSlot& slot);

// All weights of a slot as float32, row after row.
std::vector<float> dequantize(const Weight& weight);

// Refuses a weight that holds a scale (or, unquantised, a weight) that is NaN or infinite:
// Error{invalid_argument} with name and place. Reads the scales only. Packing calls it for each
// one it reads, so that no such number reaches a kernel.
void refuse_bad_scales(const Weight& weight);
void refuse_bad_scales(const Weight& weight, Team& team);  // the same, on all its threads

}  // namespace strata::models
