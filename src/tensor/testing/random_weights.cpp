#include "tensor/testing/random_weights.h"

#include <cstring>

#include "tensor/half.h"

namespace strata::tensor::testing {
namespace {

// Byte offsets of the fp16 scales in a block.
std::vector<size_t> half_offsets(DType type) {
  switch (type) {
    case DType::q4_0:
    case DType::q5_0:
    case DType::q8_0:
    case DType::iq4_nl:
    case DType::iq4_xs:
    case DType::iq2_xxs:
      return {0};
    case DType::q4_1:
    case DType::q5_1:
    case DType::q4_k:
    case DType::q5_k:
      return {0, 2};
    case DType::q2_k:
      return {80, 82};
    case DType::q3_k:
      return {108};
    case DType::q6_k:
      return {208};
    case DType::tq2_0:
      return {64};
    default:
      return {};
  }
}

}  // namespace

RandomMatrix random_matrix(DType type, int64_t rows, int64_t cols, uint32_t seed) {
  RandomMatrix m{type, rows, cols, {}};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const auto n = static_cast<uint64_t>(rows * cols);
  m.bytes.resize(bytes_of(type, n));
  for (std::byte& b : m.bytes) b = static_cast<std::byte>(random());
  const DTypeInfo& info = dtype_info(type);
  for (uint64_t i = 0; i < n / info.block_weights; ++i) {
    std::byte* block = m.bytes.data() + i * info.block_bytes;
    for (const size_t offset : half_offsets(type)) {
      const uint16_t scale = f32_to_f16(0.02f * normal(random));
      std::memcpy(block + offset, &scale, 2);
    }
    const float value = normal(random);
    const uint16_t half = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (type == DType::f32) std::memcpy(block, &value, 4);
    if (type == DType::f16 || type == DType::bf16) std::memcpy(block, &half, 2);
    if (type == DType::mxfp4) block[0] = static_cast<std::byte>(118 + random() % 12);
  }
  return m;
}

std::vector<float> random_row(int64_t n, uint32_t seed, bool extreme) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) {
    v = normal(random);
    if (extreme && random() % 16 == 0) v *= 1e4f;
    if (extreme && random() % 8 == 0) v = 0;
  }
  return x;
}

}  // namespace strata::tensor::testing
