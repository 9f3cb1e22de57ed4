// Weights in planes: the same bits as in one piece, and bounds from the upper plane that hold.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/half.h"
#include "tensor/kernels/emulated_test.h"
#include "tensor/matmul_args.h"
#include "tensor/ops.h"
#include "tensor/packed.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_matrix;
using testing::random_row;
using testing::RandomMatrix;

class Planes : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  void SetUp() override { use_kernels(GetParam()); }
  void TearDown() override { use_kernels(nullptr); }
};

InputRows input_for(int64_t n_rows, int64_t k, bool extreme = false) {
  InputRows input;
  input.resize(n_rows, k);
  for (int64_t r = 0; r < n_rows; ++r) {
    fill_row(random_row(k, static_cast<uint32_t>(100 + r), extreme).data(), input, r);
  }
  return input;
}

PackedMatrix in_planes(const RandomMatrix& m) {
  Team team(1);
  return PackedMatrix::pack_in_planes(m.source(), team);
}

std::vector<float> product(const PackedMatrix& m, const InputRows& input, int64_t n_rows) {
  std::vector<float> out(static_cast<size_t>(n_rows * m.rows()), NAN);
  matmul(m, input, n_rows, out.data(), m.rows(), 0, m.n_row_blocks());
  return out;
}

struct Screened {
  std::vector<float> likely, bound;  // [n_rows][blocks]
};
Screened screened(const PackedMatrix& m, const InputRows& input, int64_t n_rows) {
  const int64_t stride = m.segments()[0].n_groups;
  std::vector<ScreenGroup> groups(static_cast<size_t>(n_rows * stride));
  for (int64_t r = 0; r < n_rows; ++r) {
    const auto begin = groups.begin() + r * stride;
    EXPECT_TRUE(screen_groups(input, r, {begin, begin + stride}));
  }
  const auto n = static_cast<size_t>(n_rows * m.n_row_blocks());
  Screened s{std::vector<float>(n, NAN), std::vector<float>(n, NAN)};
  screen(m, input, 0, n_rows, groups.data(), stride, 0, m.n_row_blocks(), s.likely.data(),
         s.bound.data(), m.n_row_blocks());
  return s;
}

TEST_P(Planes, GiveTheBitsOfOnePiece) {
  Team team(1);
  for (const int64_t cols : {32, 96, 320, 4096, 5120}) {
    const RandomMatrix m = random_matrix(DType::q8_0, 53, cols, 5);
    const PackedMatrix whole = PackedMatrix::pack(std::vector{m.source()}, team);
    const PackedMatrix planes = in_planes(m);
    // 4,096 x 40: a panel of words and a rest by nibbles, where there are any; 5,120: nibbles.
    for (const int64_t n : {1, 2, 5, 31, 40}) {
      const InputRows input = input_for(n, cols);
      const auto expected = product(whole, input, n);
      const auto found = product(planes, input, n);
      EXPECT_EQ(std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)), 0)
          << cols << " columns, " << n << " rows";
    }
    std::vector<float> a(static_cast<size_t>(cols));
    std::vector<float> b(a);
    for (int64_t row = 0; row < 53; ++row) {
      whole.unpack_row(row, a.data());
      planes.unpack_row(row, b.data());
      EXPECT_EQ(a, b) << "row " << row;
    }
  }
}

// One row, all of them, more than go through a kernel together.
TEST_P(Planes, RowBlocksOfSomeRowsAreThoseOfAll) {
  constexpr int64_t kRows = 7;
  const PackedMatrix planes = in_planes(random_matrix(DType::q8_0, 53, 96, 5));
  const InputRows input = input_for(kRows, 96);
  const auto all = product(planes, input, kRows);
  const std::vector<BlockOfRows> wanted = {{3, 1, 4}, {1, 6, 1}, {0, 0, 7}, {2, 2, 2}};
  std::vector<float> some(all.size(), NAN);
  matmul_of_blocks(planes, input, wanted, some.data(), 53);
  std::vector<float> expected(all.size(), NAN);
  for (const auto [block, first, n] : wanted) {
    for (int64_t r = first; r < first + n; ++r) {
      for (int64_t i = 16 * block; i < std::min<int64_t>(16 * block + 16, 53); ++i) {
        expected[static_cast<size_t>(r * 53 + i)] = all[static_cast<size_t>(r * 53 + i)];
      }
    }
  }
  for (size_t i = 0; i < some.size(); ++i) {
    EXPECT_TRUE(some[i] == expected[i] || (std::isnan(some[i]) && std::isnan(expected[i]))) << i;
  }
}

// Every block alike: the same scale and quants in all of them.
RandomMatrix alike(int64_t cols, float scale, const std::vector<int8_t>& quants) {
  RandomMatrix m = random_matrix(DType::q8_0, 16, cols, 1);
  const uint16_t half = f32_to_f16(scale);
  for (size_t block = 0; block < m.bytes.size() / 34; ++block) {
    std::memcpy(&m.bytes[block * 34], &half, 2);
    std::memcpy(&m.bytes[block * 34 + 2], quants.data(), 32);
  }
  return m;
}

// Large activations among small ones are bounded one by one: lower bits that are as far from their
// centre as can be where the large ones are, and as near as can be elsewhere, nearly meet that.
TEST_P(Planes, LargeActivationsAreBoundedByTheirSize) {
  constexpr int64_t kCols = 320;
  for (const size_t n_large : {1, 2, 4}) {
    for (const float large : {1.0f, -1.0f}) {
      std::vector<float> x(kCols);
      std::vector<int8_t> quants(32);
      for (size_t k = 0; k < x.size(); ++k) {
        x[k] = k % 32 < n_large ? large : k % 2 == 0 ? 0.01f : -0.01f;
      }
      for (size_t k = 0; k < quants.size(); ++k) {
        const bool up = x[k] > 0;
        quants[k] = static_cast<int8_t>(k < n_large ? (up ? 7 : 0) : (up ? 4 : 3));
      }
      InputRows input;
      input.resize(1, kCols);
      fill_row(x.data(), input, 0);
      const PackedMatrix planes = in_planes(alike(kCols, 0.5f, quants));
      const float exact = product(planes, input, 1)[0];
      const Screened s = screened(planes, input, 1);
      EXPECT_LE(exact, s.bound[0]) << n_large << " large ones";
      const float reached = (exact - s.likely[0]) / (s.bound[0] - s.likely[0]);
      EXPECT_GT(reached, n_large == 4 ? 0.5f : 0.8f) << n_large << " large ones";
    }
  }
}

// What a screen multiplies, with as many columns as go through each loop.
TEST_P(Planes, UpperBitsGiveTheBitsOfTheReference) {
  const KernelSet& own = *GetParam();
  const KernelSet& reference = *runnable_kernels().back();
  constexpr auto kUpper = static_cast<size_t>(Layout::w5h);
  const PackedMatrix planes = in_planes(random_matrix(DType::q8_0, 16 * 5, 640, 11));
  const auto& segment = planes.segments()[0];
  for (const int64_t n : {1, 4, 9, 33}) {
    const InputRows input = input_for(n, 640);
    const auto multiplied = [&](MatmulFn kernel, const KernelSet& set) {
      std::vector<float> out(static_cast<size_t>(n * planes.rows()), NAN);
      const int64_t bytes = gemm_scratch_bytes(Layout::w5h, segment.n_groups, set.by_words);
      Buffer scratch(static_cast<size_t>(bytes));
      MatmulArgs args = args_for(planes, segment, input, 0, n, 0, planes.n_row_blocks());
      args.tiles += kPlanesHead;
      args.out = out.data();
      args.out_stride = planes.rows();
      args.scratch = scratch.as<uint8_t>();
      kernel(args);
      return out;
    };
    const auto expected = multiplied(reference.stream[kUpper], reference);
    for (const MatmulFn kernel : {own.stream[kUpper], own.gemm[kUpper]}) {
      const auto found = multiplied(kernel, own);
      EXPECT_EQ(std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)), 0)
          << n << " columns";
    }
  }
}

TEST_P(Planes, TheBoundHoldsForEveryOutput) {
  for (const bool extreme : {false, true}) {
    for (const int64_t n : {1, 3, 4}) {
      const RandomMatrix m = random_matrix(DType::q8_0, 16 * 40 - 3, 640, 7);
      const PackedMatrix planes = in_planes(m);
      const InputRows input = input_for(n, 640, extreme);
      const auto exact = product(planes, input, n);
      const Screened s = screened(planes, input, n);
      for (int64_t c = 0; c < n; ++c) {
        for (int64_t row = 0; row < planes.rows(); ++row) {
          const auto block = static_cast<size_t>(c * planes.n_row_blocks() + row / 16);
          ASSERT_LE(exact[static_cast<size_t>(c * planes.rows() + row)], s.bound[block])
              << "row " << row << " of column " << c;
          ASSERT_LE(s.likely[block], s.bound[block]);
        }
      }
    }
  }
}

// All lower bits are 0 or 7 with the sign of the activation, the worst that Cauchy-Schwarz allows:
// the bound is met but for its margin, in every column.
TEST_P(Planes, TheBoundIsMetByTheWorstWeights) {
  constexpr int64_t kCols = 320;
  constexpr int64_t kRows = 5;
  const auto sign = [](size_t k) { return k % 3 == 0 ? 1.0f : -1.0f; };
  std::vector<int8_t> quants(32);
  for (size_t k = 0; k < quants.size(); ++k) quants[k] = sign(k) > 0 ? 7 : 0;
  const PackedMatrix planes = in_planes(alike(kCols, 0.25f, quants));
  InputRows input;
  input.resize(kRows, kCols);
  for (int64_t r = 0; r < kRows; ++r) {
    std::vector<float> x(kCols);
    for (size_t k = 0; k < x.size(); ++k) x[k] = sign(k % 32) * static_cast<float>(r + 1);
    fill_row(x.data(), input, r);
  }
  const auto exact = product(planes, input, kRows);
  const Screened s = screened(planes, input, kRows);
  for (size_t r = 0; r < kRows; ++r) {
    EXPECT_GE(s.bound[r], exact[r * 16]) << "column " << r;
    EXPECT_LE(s.bound[r], exact[r * 16] * 1.004f) << "column " << r;
    EXPECT_LE(s.likely[r], exact[r * 16] * 0.9f) << "half of what the lower bits could add";
  }
}

// Sums so long that rounding adds more than the norm's own rounding leaves: the margin is needed.
TEST_P(Planes, TheBoundHoldsInLongSums) {
  constexpr int64_t kCols = 16384;
  for (int i = 0; i < 40; ++i) {
    const std::vector<int8_t> quants(32, static_cast<int8_t>(8 * (i % 16) + 4));
    const PackedMatrix planes =
        in_planes(alike(kCols, 0.1f + 0.013f * static_cast<float>(i), quants));
    InputRows input;
    input.resize(1, kCols);
    const std::vector<float> x(kCols, 0.3f + 0.07f * static_cast<float>(i));
    fill_row(x.data(), input, 0);
    EXPECT_GE(screened(planes, input, 1).bound[0], product(planes, input, 1)[0]) << i;
  }
}

TEST_P(Planes, NothingIsBoundedWhereSumsCouldOverflow) {
  InputRows input;
  input.resize(2, 64);
  fill_row(std::vector<float>(64, 1e29f).data(), input, 0);
  fill_row(std::vector<float>(64, INFINITY).data(), input, 1);
  std::vector<ScreenGroup> groups(2);
  EXPECT_FALSE(screen_groups(input, 0, groups));
  EXPECT_FALSE(screen_groups(input, 1, groups));
}

INSTANTIATE_TEST_SUITE_P(Sets, Planes, ::testing::ValuesIn(tested_kernels()), [](const auto& set) {
  std::string name = set.param->name;
  std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
  return name;
});

}  // namespace
}  // namespace strata::tensor
