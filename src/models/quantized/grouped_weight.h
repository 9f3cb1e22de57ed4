// What GPTQ and AWQ store alike beside a matrix of packed codes: scales and zero points, packed
// like the codes, for each group of inputs and each output.
#pragma once

#include <string>

#include "models/quantized/integer_rows.h"
#include "models/quantized/stored.h"

namespace strata::models {

struct GroupedWeight {
  IntegerWeight weight;  // without codes, their greatest, and zero points
  const SafeTensor* scales = nullptr;
  const SafeTensor* zeros = nullptr;  // int32 [groups x zero_words]
};

// Of `base`.scales and `base`.qzeros beside `codes`; group_size below 1: one group.
// Error{invalid_argument} with the tensor that is missing or does not fit rows x cols.
GroupedWeight grouped_weight(const Stored& stored, const std::string& base, const SafeTensor& codes,
                             uint64_t rows, uint64_t cols, int64_t group_size, uint64_t zero_words);

}  // namespace strata::models
