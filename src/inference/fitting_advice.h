// What would run where a model does not fit the memory: a smaller context, keys and values in fewer
// bits, or smaller weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "models/family/spec.h"
#include "models/format/model_file.h"
#include "tensor/kv_page.h"

namespace strata::inference {

// A type of strata quantize, and what a weight of a large model takes in memory then, on average
// over the types that its mixture gives to tensors. Types of less than four bits take more in
// memory (tensor/packed.h).
struct FittingType {
  std::string_view name;
  double bits;
};
std::span<const FittingType> fitting_types();  // large first

// Fewer positions are no use.
constexpr int64_t kLeastContext = 1024;

struct FittingAdvice {
  int64_t context = 0;  // that fits, the weights as they are; 0: less than kLeastContext
  tensor::KvFormat kv = tensor::KvFormat::bf16;
  int64_t kv_context = 0;     // that fits with keys and values as `kv`; 0: no more than `context`
  std::string_view type;      // the largest with which kLeastContext fits; empty: none does
  int64_t type_bytes = 0;     // that it needs, about
  std::string_view smallest;  // where none fits, the smallest that is smaller than the weights
  int64_t smallest_bytes = 0;
};

// For `free_bytes` of memory, where `context` positions were asked for. The engine takes half of
// what weights leave for keys and values (engine_create.cpp): so does this. Errors: those of
// foretell_memory.
FittingAdvice advise_fitting(const models::ModelSpec& spec, const models::ModelFile& file,
                             int64_t context, int64_t free_bytes, tensor::KvFormat kv);

// What to do, for a hint: with numbers.
std::string to_text(const FittingAdvice& advice);

}  // namespace strata::inference
