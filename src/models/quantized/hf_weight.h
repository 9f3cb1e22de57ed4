// A weight of a folder in Hugging Face's layout that is stored in several tensors (codes, scales,
// zero points), as the model means it: rows that are made of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/format/hf_folder.h"
#include "tensor/dtype.h"

namespace strata::models {

// Makes rows of a stack of matrices, without loss in each type that it can make.
class RowMaker {
 public:
  virtual ~RowMaker() = default;
  virtual bool can_make(tensor::DType type) const = 0;
  // These rows of matrix `matrix`, one after another. Called from any thread.
  // Error{invalid_argument}: a scale or weight among them is NaN or infinite.
  virtual void make(tensor::DType type, uint64_t matrix, std::span<const uint64_t> rows,
                    std::byte* out) const = 0;
};

struct HfWeight {
  std::string name;
  tensor::DType type = tensor::DType::f32;  // the smallest that loses nothing
  std::vector<uint64_t> shape;              // slowest first
  std::shared_ptr<const RowMaker> maker;
  bool made_transposed = false;           // the rows that are made are the columns of `shape`
  std::vector<const SafeTensor*> stored;  // what it is made of; the first names it
};

// The smallest type in which none loses anything. Error{invalid_argument} with two names: there is
// none, or they have different shapes.
tensor::DType common_type(std::span<const HfWeight> weights);

}  // namespace strata::models
