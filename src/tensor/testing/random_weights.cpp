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

// Of bytes that are there: scales, and numbers of 16 or 32 bits, that are finite.
void make_finite(RandomMatrix& m, std::mt19937& random) {
  std::normal_distribution<float> normal;
  const DTypeInfo& info = dtype_info(m.type);
  const auto n = static_cast<uint64_t>(m.rows * m.cols);
  for (uint64_t i = 0; i < n / info.block_weights; ++i) {
    std::byte* block = m.bytes.data() + i * info.block_bytes;
    for (const size_t offset : half_offsets(m.type)) {
      const uint16_t scale = f32_to_f16(0.02f * normal(random));
      std::memcpy(block + offset, &scale, 2);
    }
    const float value = normal(random);
    const uint16_t half = m.type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (m.type == DType::f32) std::memcpy(block, &value, 4);
    if (m.type == DType::f16 || m.type == DType::bf16) std::memcpy(block, &half, 2);
    if (m.type == DType::mxfp4) block[0] = static_cast<std::byte>(118 + random() % 12);
  }
}

}  // namespace

RandomMatrix random_matrix(DType type, int64_t rows, int64_t cols, uint32_t seed) {
  RandomMatrix m{type, rows, cols, {}};
  std::mt19937 random(seed);
  m.bytes.resize(bytes_of(type, static_cast<uint64_t>(rows * cols)));
  for (std::byte& b : m.bytes) b = static_cast<std::byte>(random());
  make_finite(m, random);
  return m;
}

RandomMatrix filled_matrix(DType type, int64_t rows, int64_t cols, std::byte fill) {
  RandomMatrix m{type, rows, cols, {}};
  std::mt19937 random(1);
  m.bytes.assign(bytes_of(type, static_cast<uint64_t>(rows * cols)), fill);
  make_finite(m, random);
  constexpr size_t kSubScales = 192;  // of Q6_K, 16 in a block of 210 bytes
  for (size_t block = 0; type == DType::q6_k && block < m.bytes.size(); block += 210) {
    for (size_t i = 0; i < 16; ++i) {
      m.bytes[block + kSubScales + i] = std::byte{static_cast<uint8_t>(i % 3 == 0 ? 0x80 : 0x7f)};
    }
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
