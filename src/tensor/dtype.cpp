#include "tensor/dtype.h"

#include <array>

#include "core/bytes.h"

namespace strata::tensor {
namespace {

// Sizes: the block structures of the GGUF format (docs/formats.md).
constexpr std::array kTypes{
    DTypeInfo{DType::f32, "F32", 1, 4},
    DTypeInfo{DType::f16, "F16", 1, 2},
    DTypeInfo{DType::q4_0, "Q4_0", 32, 18},
    DTypeInfo{DType::q4_1, "Q4_1", 32, 20},
    DTypeInfo{DType::q5_0, "Q5_0", 32, 22},
    DTypeInfo{DType::q5_1, "Q5_1", 32, 24},
    DTypeInfo{DType::q8_0, "Q8_0", 32, 34},
    DTypeInfo{DType::q8_1, "Q8_1", 32, 36},
    DTypeInfo{DType::q2_k, "Q2_K", 256, 84},
    DTypeInfo{DType::q3_k, "Q3_K", 256, 110},
    DTypeInfo{DType::q4_k, "Q4_K", 256, 144},
    DTypeInfo{DType::q5_k, "Q5_K", 256, 176},
    DTypeInfo{DType::q6_k, "Q6_K", 256, 210},
    DTypeInfo{DType::q8_k, "Q8_K", 256, 292},
    DTypeInfo{DType::iq2_xxs, "IQ2_XXS", 256, 66},
    DTypeInfo{DType::iq2_xs, "IQ2_XS", 256, 74},
    DTypeInfo{DType::iq3_xxs, "IQ3_XXS", 256, 98},
    DTypeInfo{DType::iq1_s, "IQ1_S", 256, 50},
    DTypeInfo{DType::iq4_nl, "IQ4_NL", 32, 18},
    DTypeInfo{DType::iq3_s, "IQ3_S", 256, 110},
    DTypeInfo{DType::iq2_s, "IQ2_S", 256, 82},
    DTypeInfo{DType::iq4_xs, "IQ4_XS", 256, 136},
    DTypeInfo{DType::i8, "I8", 1, 1},
    DTypeInfo{DType::i16, "I16", 1, 2},
    DTypeInfo{DType::i32, "I32", 1, 4},
    DTypeInfo{DType::i64, "I64", 1, 8},
    DTypeInfo{DType::f64, "F64", 1, 8},
    DTypeInfo{DType::iq1_m, "IQ1_M", 256, 56},
    DTypeInfo{DType::bf16, "BF16", 1, 2},
    DTypeInfo{DType::tq1_0, "TQ1_0", 256, 54},
    DTypeInfo{DType::tq2_0, "TQ2_0", 256, 66},
    DTypeInfo{DType::mxfp4, "MXFP4", 32, 17},
    DTypeInfo{DType::nvfp4, "NVFP4", 64, 36},
    DTypeInfo{DType::q1_0, "Q1_0", 128, 18},
    DTypeInfo{DType::q2_0, "Q2_0", 64, 18},
};

bool was_removed(uint32_t id) {
  return id == 4 || id == 5 || (id >= 31 && id <= 33) || (id >= 36 && id <= 38);
}

}  // namespace

const DTypeInfo& dtype_info(uint32_t id) {
  for (const auto& info : kTypes) {
    if (static_cast<uint32_t>(info.type) == id) return info;
  }
  if (was_removed(id)) {
    throw Error(Code::unimplemented,
                fmt::format("tensor type {} was removed from the GGUF format", id),
                "get a newer file of this model, or convert it again from its source");
  }
  if (id >= 97 && id < 400) {
    throw Error(Code::unimplemented, fmt::format("tensor type {} exists only in ik_llama.cpp", id),
                "get a file with standard types, for example Q4_K_M or Q8_0");
  }
  throw Error(Code::invalid_argument, fmt::format("unknown tensor type {}", id));
}

const DTypeInfo& dtype_info(DType type) {
  return dtype_info(static_cast<uint32_t>(type));
}

uint64_t bytes_of(DType type, uint64_t n_weights) {
  const auto& info = dtype_info(type);
  if (n_weights % info.block_weights != 0) {
    throw Error(Code::invalid_argument,
                fmt::format("{} weights are not a multiple of {}'s block of {}", n_weights,
                            info.name, info.block_weights));
  }
  return checked_mul(n_weights / info.block_weights, info.block_bytes, "tensor size");
}

}  // namespace strata::tensor
