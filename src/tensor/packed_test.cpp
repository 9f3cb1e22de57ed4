// Packing loses nothing, and every kernel set computes what the packed weights say.
#include "tensor/packed.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "tensor/dequant.h"
#include "tensor/ops.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_matrix;
using testing::random_row;
using testing::RandomMatrix;

constexpr DType kExactTypes[] = {DType::q4_0, DType::q4_1, DType::q5_0,   DType::q5_1,
                                 DType::q8_0, DType::q4_k, DType::q5_k,   DType::q6_k,
                                 DType::q3_k, DType::bf16, DType::iq4_nl, DType::mxfp4};
constexpr DType kRoundedTypes[] = {DType::f32,    DType::f16,     DType::q2_k,
                                   DType::iq4_xs, DType::iq2_xxs, DType::tq2_0};

std::vector<float> dequantized(const RandomMatrix& m) {
  std::vector<float> out(static_cast<size_t>(m.rows * m.cols));
  dequantize_row(m.type, m.bytes.data(), out.data(), m.rows * m.cols);
  return out;
}

TEST(Packing, ExactTypesComeBackBitForBit) {
  Team team(2);
  for (const DType type : kExactTypes) {
    for (const int64_t rows : {1, 15, 16, 33}) {
      const int64_t cols = dtype_info(type).block_weights == 256 ? 768 : 160;
      const RandomMatrix m = random_matrix(type, rows, cols, 7);
      const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
      const auto expected = dequantized(m);
      std::vector<float> row(static_cast<size_t>(cols));
      for (int64_t r = 0; r < rows; ++r) {
        packed.unpack_row(r, row.data());
        for (int64_t k = 0; k < cols; ++k) {
          ASSERT_EQ(row[static_cast<size_t>(k)], expected[static_cast<size_t>(r * cols + k)])
              << dtype_info(type).name << " row " << r << " k " << k;
        }
      }
    }
  }
}

TEST(Packing, OtherTypesLoseLittle) {
  Team team(1);
  for (const DType type : kRoundedTypes) {
    const RandomMatrix m = random_matrix(type, 18, 512, 11);
    const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
    const auto expected = dequantized(m);
    std::vector<float> row(512);
    for (int64_t r = 0; r < m.rows; ++r) {
      packed.unpack_row(r, row.data());
      for (size_t g = 0; g < 16; ++g) {
        float largest = 0;
        for (size_t k = 0; k < 32; ++k) {
          largest =
              std::max(largest, std::fabs(expected[static_cast<size_t>(r) * 512 + 32 * g + k]));
        }
        for (size_t k = 32 * g; k < 32 * g + 32; ++k) {
          ASSERT_NEAR(row[k], expected[static_cast<size_t>(r) * 512 + k], largest / 200)
              << dtype_info(type).name;
        }
      }
    }
  }
}

TEST(Packing, MainTypesStayWithinFivePercentOfTheFile) {
  Team team(2);
  for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
                           DType::q4_k, DType::q5_k, DType::q6_k, DType::bf16, DType::f16}) {
    const RandomMatrix m = random_matrix(type, 2048, 2048, 3);
    const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
    EXPECT_LE(static_cast<double>(packed.bytes()), 1.05 * static_cast<double>(m.bytes.size()))
        << dtype_info(type).name;
  }
}

// MXFP4 whose scales are beyond fp16 goes to bf16, which holds it exactly.
TEST(Packing, Mxfp4WithHugeScalesStaysExact) {
  Team team(1);
  RandomMatrix m = random_matrix(DType::mxfp4, 16, 64, 5);
  m.bytes[0] = std::byte{200};
  const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
  EXPECT_EQ(packed.segments()[0].layout, Layout::wbf);
  const auto expected = dequantized(m);
  std::vector<float> row(64);
  packed.unpack_row(0, row.data());
  for (size_t k = 0; k < 64; ++k) EXPECT_EQ(row[k], expected[k]);
}

TEST(Packing, RefusesShapesThatDoNotFit) {
  Team team(1);
  const RandomMatrix a = random_matrix(DType::q8_0, 4, 64, 1);
  const RandomMatrix b = random_matrix(DType::q8_0, 4, 32, 1);
  EXPECT_THROW(PackedMatrix::pack(std::vector{a.source(), b.source()}, team), Error);
  EXPECT_THROW(PackedMatrix::pack_gated(a.source(), b.source(), team), Error);
  WeightSource odd = a.source();
  odd.cols = 40;
  EXPECT_THROW(PackedMatrix::pack(std::vector{odd}, team), Error);
  WeightSource integers = a.source();
  integers.type = DType::i32;
  EXPECT_THROW(PackedMatrix::pack(std::vector{integers}, team), Error);
}

}  // namespace
}  // namespace strata::tensor
