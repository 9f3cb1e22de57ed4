// Every kernel set against the words of the contract in double precision, against the generic set
// bit for bit, and against itself in every cut of rows and columns.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/dequant.h"
#include "tensor/half.h"
#include "tensor/kernels/emulated_test.h"
#include "tensor/ops.h"
#include "tensor/packed.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::filled_matrix;
using testing::random_matrix;
using testing::random_row;
using testing::RandomMatrix;

// One type for each layout.
constexpr DType kTypes[] = {DType::q4_0, DType::iq4_nl, DType::q4_1, DType::q5_0, DType::q5_1,
                            DType::q8_0, DType::q4_k,   DType::q5_k, DType::q6_k, DType::bf16};

class Matmul : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(nullptr); }
};

InputRows input_for(int64_t n_rows, int64_t k, bool extreme) {
  InputRows input;
  input.wants_bf16 = true;
  input.resize(n_rows, k);
  for (int64_t r = 0; r < n_rows; ++r) {
    fill_row(random_row(k, static_cast<uint32_t>(100 + r), extreme).data(), input, r);
  }
  return input;
}

std::vector<float> product(const PackedMatrix& m, const InputRows& input, int64_t n_rows,
                           Activation activation = Activation::none) {
  std::vector<float> out(static_cast<size_t>(n_rows * m.rows()), NAN);
  matmul(m, input, n_rows, out.data(), m.rows(), 0, m.n_row_blocks(), activation);
  return out;
}

double activation_value(const InputRows& input, bool bf16, int64_t row, int64_t k) {
  if (bf16) return double{bf16_to_f32(input.bf16.row(row)[k])};
  return double{input.int8.meta(row)[k / kGroup].scale} * input.int8.q(row)[k];
}

int64_t cols_for(DType type, int64_t groups) {
  return dtype_info(type).block_weights == 256 ? 256 * ((groups + 7) / 8) : kGroup * groups;
}

TEST_P(Matmul, MeetsTheDoublePrecisionProduct) {
  Team team(1);
  for (const DType type : kTypes) {
    for (const bool extreme : {false, true}) {
      const int64_t rows = 37;
      const int64_t cols = cols_for(type, 11);
      const int64_t n = 9;
      const RandomMatrix m = random_matrix(type, rows, cols, 3);
      const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
      std::vector<float> w(static_cast<size_t>(rows * cols));
      dequantize_row(type, m.bytes.data(), w.data(), rows * cols);
      const InputRows input = input_for(n, cols, extreme);
      const auto out = product(packed, input, n);
      for (int64_t c = 0; c < n; ++c) {
        for (int64_t r = 0; r < rows; ++r) {
          double sum = 0;
          double magnitude = 0;
          for (int64_t k = 0; k < cols; ++k) {
            const double term = double{w[static_cast<size_t>(r * cols + k)]} *
                                activation_value(input, type == DType::bf16, c, k);
            sum += term;
            magnitude += std::fabs(term);
          }
          ASSERT_NEAR(out[static_cast<size_t>(c * rows + r)], sum, 4e-6 * magnitude + 1e-6)
              << dtype_info(type).name << " row " << r << " column " << c;
        }
      }
    }
  }
}

TEST_P(Matmul, AgreesWithGenericBitForBit) {
  Team team(1);
  for (const DType type : kTypes) {
    if (type == DType::bf16) continue;  // products of bf16 round differently in each set
    for (const int64_t groups : {1, 2, 5, 24}) {
      for (const int64_t rows : {1, 16, 31, 70}) {
        const int64_t cols = cols_for(type, groups);
        const RandomMatrix m = random_matrix(type, rows, cols, static_cast<uint32_t>(rows));
        const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
        for (const int64_t n : {1, 2, 3, 4, 5, 8, 13, 24, 31, 40}) {
          use_kernels(&*runnable_kernels().back());
          const InputRows input = input_for(n, cols, groups == 5);
          const auto expected = product(packed, input, n);
          use_kernels(GetParam());
          const auto out = product(packed, input, n);
          ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
              << dtype_info(type).name << " " << rows << " x " << cols << ", " << n << " columns";
        }
      }
    }
  }
}

TEST_P(Matmul, DoesNotDependOnTheCut) {
  Team team(2);
  for (const DType type : kTypes) {
    const int64_t rows = 100;
    const int64_t cols = cols_for(type, 8);
    const RandomMatrix m = random_matrix(type, rows, cols, 4);
    const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
    const int64_t n = 40;
    const InputRows all = input_for(n, cols, false);
    const auto expected = product(packed, all, n);
    for (const int64_t cut : {1, 3, 4}) {  // row blocks
      std::vector<float> out(expected.size(), NAN);
      for (int64_t b = 0; b < packed.n_row_blocks(); b += cut) {
        const int64_t end = std::min(b + cut, packed.n_row_blocks());
        matmul(packed, all, n, out.data(), rows, b, end);
      }
      ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)));
    }
    for (int64_t k = 1; k < n; ++k) {  // fewer columns
      const auto out = product(packed, all, k);
      ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
          << dtype_info(type).name << ", " << k << " columns";
    }
    std::vector<float> out(expected.size(), NAN);
    team.run(
        [&](int thread) { matmul_share(packed, all, n, out.data(), rows, thread, team.size()); });
    ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)));
  }
}

// What the largest quants and activations add up to fits every kernel's registers.
TEST_P(Matmul, TheLargestNumbersAgreeWithGeneric) {
  Team team(1);
  const int64_t rows = 19;
  const int64_t n = 40;
  for (const DType type : kTypes) {
    if (type == DType::bf16) continue;
    const int64_t cols = cols_for(type, 4);
    InputRows input;
    input.resize(n, cols);
    for (int64_t r = 0; r < n; ++r) {  // 127, -127, and both in turns
      std::vector<float> x(static_cast<size_t>(cols), r % 3 == 0 ? 1.0f : -1.0f);
      for (size_t i = 0; r % 3 == 2 && i < x.size(); i += 2) x[i] = 1.0f;
      fill_row(x.data(), input, r);
    }
    for (const int fill : {0x00, 0x7f, 0x80, 0xf0, 0xff}) {
      const RandomMatrix m = filled_matrix(type, rows, cols, static_cast<std::byte>(fill));
      const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
      use_kernels(&*runnable_kernels().back());
      const auto expected = product(packed, input, n);
      use_kernels(GetParam());
      for (const int64_t k : {1, 2, 3, 4, 9, 17, 40}) {
        const auto out = product(packed, input, k);
        ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
            << dtype_info(type).name << " of " << fill << ", " << k << " columns";
      }
    }
  }
}

TEST_P(Matmul, ARowThatIsNotFiniteGivesNothingButNan) {
  Team team(1);
  const int64_t n = 30;
  for (const DType type : {DType::q8_0, DType::q4_0, DType::q6_k}) {
    const int64_t cols = 256;
    const RandomMatrix m = random_matrix(type, 20, cols, 6);
    const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
    for (const size_t place : {0, 8, 16, 31, 100, 255}) {
      for (const float value : {NAN, INFINITY, -INFINITY}) {
        InputRows input = input_for(n, cols, false);
        auto x = random_row(cols, 1);
        x[place] = value;
        fill_row(x.data(), input, 0);
        for (const int64_t k : {int64_t{1}, n}) {
          const auto out = product(packed, input, k);
          for (size_t i = 0; i < out.size(); ++i) {
            ASSERT_EQ(std::isnan(out[i]), i < 20) << value << " at " << place << ", " << k;
          }
        }
      }
    }
  }
}

TEST_P(Matmul, WideInputsGiveTheSameInPanelsOfColumns) {
  Team team(1);
  const int64_t rows = 40;
  const int64_t cols = 5120;
  const int64_t n = 60;
  ASSERT_LT(2 * spread_columns(cols / 32), n);
  ASSERT_LT(word_columns(cols / 32), n);
  const InputRows all = input_for(n, cols, false);
  for (const DType type : {DType::bf16, DType::q8_0, DType::iq4_nl}) {
    const RandomMatrix m = random_matrix(type, rows, cols, 4);
    const PackedMatrix packed = PackedMatrix::pack(std::vector{m.source()}, team);
    const auto expected = product(packed, all, n);
    for (const int64_t k : {1, 2, 24, 25, 26, 31, 32, 33, 49, 50, 51}) {
      const auto out = product(packed, all, k);
      ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
          << dtype_info(type).name << ", " << k << " columns";
    }
  }
}

TEST_P(Matmul, GatedIsActivationOfGateTimesUp) {
  Team team(1);
  const Activation kinds[] = {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf,
                              Activation::relu};
  for (const auto& [gate_type, up_type] :
       {std::pair{DType::q4_k, DType::q4_k}, std::pair{DType::q5_0, DType::q5_0},
        std::pair{DType::q8_0, DType::q4_1}, std::pair{DType::bf16, DType::bf16},
        std::pair{DType::q8_0, DType::q8_0}, std::pair{DType::q6_k, DType::q6_k},
        std::pair{DType::iq4_nl, DType::iq4_nl}}) {
    const int64_t rows = 50;
    const int64_t cols = 512;
    const RandomMatrix g = random_matrix(gate_type, rows, cols, 1);
    const RandomMatrix u = random_matrix(up_type, rows, cols, 2);
    const PackedMatrix gated = PackedMatrix::pack_gated(g.source(), u.source(), team);
    const PackedMatrix gate = PackedMatrix::pack(std::vector{g.source()}, team);
    const PackedMatrix up = PackedMatrix::pack(std::vector{u.source()}, team);
    for (const int64_t n : {1, 2, 7, 30, 41}) {
      const InputRows input = input_for(n, cols, false);
      for (const Activation kind : kinds) {
        auto expected = product(gate, input, n);
        const auto ups = product(up, input, n);
        kernels().gate(kind, expected.data(), ups.data(), n * rows, expected.data());
        const auto out = product(gated, input, n, kind);
        ASSERT_EQ(0, std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)))
            << dtype_info(gate_type).name << " " << n;
      }
    }
  }
}

TEST_P(Matmul, FusedSourcesOfDifferentTypesGiveTheirRowsInOrder) {
  Team team(1);
  const RandomMatrix q = random_matrix(DType::q4_k, 40, 256, 1);
  const RandomMatrix k = random_matrix(DType::q6_k, 24, 256, 2);
  const RandomMatrix v = random_matrix(DType::bf16, 9, 256, 3);
  const std::vector sources{q.source(), k.source(), v.source()};
  const PackedMatrix fused = PackedMatrix::pack(sources, team);
  ASSERT_EQ(fused.rows(), 73);
  EXPECT_TRUE(fused.wants(InputKind::int8));
  EXPECT_TRUE(fused.wants(InputKind::bf16));
  const InputRows input = input_for(3, 256, false);
  const auto out = product(fused, input, 3);
  int64_t first = 0;
  for (const WeightSource& source : sources) {
    const PackedMatrix alone = PackedMatrix::pack(std::vector{source}, team);
    const auto expected = product(alone, input, 3);
    for (int64_t c = 0; c < 3; ++c) {
      ASSERT_EQ(0, std::memcmp(out.data() + c * 73 + first, expected.data() + c * source.rows,
                               static_cast<size_t>(source.rows) * sizeof(float)));
    }
    first += source.rows;
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Matmul, ::testing::ValuesIn(tested_kernels()), [](const auto& set) {
  std::string name = set.param->name;
  std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
  return name;
});

}  // namespace
}  // namespace strata::tensor
