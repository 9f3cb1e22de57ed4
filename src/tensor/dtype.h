// The element types a model file may hold: GGUF's numbering, block sizes in weights and bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::tensor {

enum class DType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

struct DTypeInfo {
  DType type;
  std::string_view name;   // "Q4_K", as GGUF tools print it
  uint32_t block_weights;  // weights in one block
  uint32_t block_bytes;    // bytes of one block
};

// Throws Error{invalid_argument} for an id that is unknown, Error{unimplemented} for one that was
// removed from the format or belongs to another engine, each with a word on which it is.
const DTypeInfo& dtype_info(uint32_t id);
const DTypeInfo& dtype_info(DType type);
// Bytes of n weights; n must be a multiple of the block (Error{invalid_argument}); overflow
// checked.
uint64_t bytes_of(DType type, uint64_t n_weights);

}  // namespace strata::tensor
