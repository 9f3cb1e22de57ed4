// What a Change (models/family/translation.h) does to a tensor's shape.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/family/translation.h"

namespace strata::models {

// What the numbers of a tensor are, which is a weight. Error{unimplemented}: integers and the like.
tensor::DType weight_type(const SafeTensor& tensor);

// Of a change that takes columns; nullopt: it does not.
std::optional<Columns> columns_of(Change change, uint64_t cols);
bool is_half(Change change);  // of the rows
bool is_transposed(Change change);
// Whether another rule takes the rest of the tensor.
bool is_part(Change change);
// Of what the change gives; fastest first, as GGUF has it. Error{invalid_argument}: no halves.
std::vector<uint64_t> shape_of(const SafeTensor& tensor, Change change);

}  // namespace strata::models
