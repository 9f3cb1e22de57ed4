// Row operations of every set: right against double precision, and the same bits as generic's.
#include "tensor/ops.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "tensor/half.h"
#include "tensor/kernels/emulated_test.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_row;
using Row = std::vector<float>;

constexpr int64_t kLengths[] = {1, 15, 16, 17, 33, 576, 2047};

class RowOps : public ::testing::TestWithParam<const KernelSet*> {
 protected:
  const KernelSet& set() const { return *GetParam(); }
  const KernelSet& generic() const { return *runnable_kernels().back(); }
  // The operation of this set, after checking that generic gives the same bits.
  Row both(const Row& x, const std::function<void(const KernelSet&, Row&)>& op) const {
    Row mine = x;
    Row theirs = x;
    op(set(), mine);
    op(generic(), theirs);
    EXPECT_EQ(0, std::memcmp(mine.data(), theirs.data(), x.size() * sizeof(float)));
    return mine;
  }
};

double activation_in_double(Activation kind, double x) {
  switch (kind) {
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::gelu_erf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::relu_squared:
      return std::max(x, 0.0) * std::max(x, 0.0);
    case Activation::none:
      break;
  }
  return x;
}

TEST_P(RowOps, RmsNorm) {
  for (const int64_t n : kLengths) {
    const Row x = random_row(n, 1);
    const Row w = random_row(n, 2);
    double squares = 0;
    for (const float v : x) squares += double{v} * double{v};
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    const Row out = both(x, [&](const KernelSet& s, Row& row) {
      s.rms_norm(row.data(), w.data(), n, 1e-5f, row.data());
    });
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = double{x[i]} * factor * double{w[i]};
      ASSERT_NEAR(out[i], expected, 1e-6 + 1e-6 * std::fabs(expected));
    }
  }
}

TEST_P(RowOps, LayerNorm) {
  for (const int64_t n : kLengths) {
    Row x = random_row(n, 1);
    for (float& v : x) v += 3;
    const Row w = random_row(n, 2);
    const Row b = random_row(n, 3);
    double mean = 0;
    for (const float v : x) mean += double{v} / static_cast<double>(n);
    double variance = 0;
    for (const float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
    const Row out = both(x, [&](const KernelSet& s, Row& row) {
      s.layer_norm(row.data(), w.data(), b.data(), n, 1e-5f, row.data());
    });
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected =
          (x[i] - mean) / std::sqrt(variance + 1e-5) * double{w[i]} + double{b[i]};
      ASSERT_NEAR(out[i], expected, 1e-5 + 1e-5 * std::fabs(expected)) << n;
    }
  }
}

TEST_P(RowOps, Activations) {
  Row x = random_row(2047, 5);
  for (float& v : x) v *= 6;
  x[0] = 0;
  x[1] = 200;
  x[2] = -200;
  x[3] = 88.5f;
  x[4] = -87.4f;
  for (const Activation kind : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf,
                                Activation::relu, Activation::relu_squared}) {
    const auto n = static_cast<int64_t>(x.size());
    const Row out = both(x, [&](const KernelSet& s, Row& row) { s.activate(kind, n, row.data()); });
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = activation_in_double(kind, double{x[i]});
      ASSERT_NEAR(out[i], expected, 4e-6 + 1e-6 * std::fabs(expected)) << x[i];
    }
    const Row ups = random_row(n, 6);
    const Row gated = both(x, [&](const KernelSet& s, Row& row) {
      s.gate(kind, row.data(), ups.data(), n, row.data());
    });
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(gated[i], out[i] * ups[i]);
  }
}

TEST_P(RowOps, SoftCapAddAndScale) {
  Row x = random_row(333, 5);
  for (float& v : x) v *= 60;
  const Row y = random_row(333, 6);
  const Row capped = both(x, [](const KernelSet& s, Row& row) { s.soft_cap(30, 333, row.data()); });
  const Row added =
      both(x, [&](const KernelSet& s, Row& row) { s.add(y.data(), 333, row.data()); });
  const Row scaled = both(x, [](const KernelSet& s, Row& row) { s.scale(0.3f, 333, row.data()); });
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(capped[i], 30 * std::tanh(double{x[i]} / 30), 2e-5);
    ASSERT_EQ(added[i], x[i] + y[i]);
    ASSERT_EQ(scaled[i], x[i] * 0.3f);
  }
}

TEST_P(RowOps, RopeRotatesPairs) {
  Row cosine(24);
  Row sine(24);
  for (size_t i = 0; i < 24; ++i) {
    const double angle = 77 * std::pow(10000.0, -static_cast<double>(i) / 24);
    cosine[i] = static_cast<float>(std::cos(angle));
    sine[i] = static_cast<float>(std::sin(angle));
  }
  const Row x = random_row(64, 8);
  const Row adjacent = both(x, [&](const KernelSet& s, Row& row) {
    s.rope_adjacent(cosine.data(), sine.data(), 24, row.data());
  });
  const Row halves = both(x, [&](const KernelSet& s, Row& row) {
    s.rope_halves(cosine.data(), sine.data(), 24, row.data());
  });
  for (size_t i = 0; i < 24; ++i) {
    const double c = double{cosine[i]};
    const double s = double{sine[i]};
    ASSERT_NEAR(adjacent[2 * i], x[2 * i] * c - x[2 * i + 1] * s, 1e-6);
    ASSERT_NEAR(adjacent[2 * i + 1], x[2 * i] * s + x[2 * i + 1] * c, 1e-6);
    ASSERT_NEAR(halves[i], x[i] * c - x[i + 24] * s, 1e-6);
    ASSERT_NEAR(halves[i + 24], x[i] * s + x[i + 24] * c, 1e-6);
  }
  for (size_t i = 48; i < 64; ++i) ASSERT_EQ(adjacent[i], x[i]);
}

TEST_P(RowOps, QuantizeRoundsToNearestAndPads) {
  for (const int64_t n : {1, 31, 32, 33, 300}) {
    for (const bool extreme : {false, true}) {
      const Row x = random_row(n, 9, extreme);
      std::vector<int8_t> q[2];
      std::vector<GroupMeta> meta[2];
      for (int i = 0; i < 2; ++i) {
        q[i].assign(512, 99);
        meta[i].assign(16, GroupMeta{-1, -1, -1, -1});
        (i == 0 ? set() : generic()).quantize(x.data(), n, 512, q[i].data(), meta[i].data());
      }
      ASSERT_EQ(q[0], q[1]);
      ASSERT_EQ(0, std::memcmp(meta[0].data(), meta[1].data(), 16 * sizeof(GroupMeta)));
      for (size_t g = 0; g < 16; ++g) {
        int sum = 0;
        int low = 0;
        for (size_t i = 32 * g; i < 32 * g + 32; ++i) {
          const float value = i < x.size() ? x[i] : 0.0f;
          ASSERT_NEAR(meta[0][g].scale * q[0][i], value, meta[0][g].scale * 0.5001f);
          sum += q[0][i];
          if (i < 32 * g + 16) low += q[0][i];
        }
        ASSERT_EQ(meta[0][g].neg_sum, -sum);
        ASSERT_EQ(meta[0][g].neg_sum_lo, -low);
        ASSERT_EQ(meta[0][g].scaled_sum, meta[0][g].scale * static_cast<float>(sum));
      }
    }
  }
}

TEST_P(RowOps, Int8IsNearWithinHalfAStep) {
  for (const int64_t n : {16, 64, 80, 256}) {
    for (const float size : {1e-30f, 1e-3f, 1.0f, 1e8f, 1e37f}) {
      Row x = random_row(n, 9);
      for (float& each : x) each *= size;
      std::vector<int8_t> q[2];
      float scale[2];
      for (int i = 0; i < 2; ++i) {
        q[i].assign(x.size(), 99);
        scale[i] = (i == 0 ? set() : generic()).to_int8(x.data(), n, q[i].data());
      }
      ASSERT_EQ(q[0], q[1]);
      ASSERT_EQ(scale[0], scale[1]);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(scale[0] * q[0][i], x[i], scale[0] * 0.50001f) << size;
      }
    }
  }
}

TEST_P(RowOps, Int8OfWhatIsNoNumberOrNearlyNothing) {
  int8_t q[64];
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Row x = random_row(64, 3);
    x[37] = bad;
    ASSERT_TRUE(std::isnan(set().to_int8(x.data(), 64, q))) << bad;
  }
  const Row tiny(64, 1e-37f);
  ASSERT_EQ(set().to_int8(tiny.data(), 64, q), 0.0f);
  for (const int8_t each : q) ASSERT_EQ(each, 0);
  Row known{-127.0f, 64.4f, 64.6f, 0.5f, 1.5f, 127.0f};
  known.resize(16, 0.0f);
  ASSERT_EQ(set().to_int8(known.data(), 16, q), 1.0f);
  ASSERT_EQ(std::vector<int>(q, q + 7), (std::vector<int>{-127, 64, 65, 0, 2, 127, 0}));
}

TEST_P(RowOps, RotationKeepsProductsAndIsItsOwnInverse) {
  for (const int64_t n : {16, 32, 48, 64, 80, 256}) {
    const Row x[] = {random_row(n, 5), random_row(n, 6)};
    Row rotated[] = {x[0], x[1]};
    for (Row& row : rotated) set().rotate(n, row.data());
    double product = 0;
    double expected = 0;
    for (size_t i = 0; i < x[0].size(); ++i) {
      product += double{rotated[0][i]} * double{rotated[1][i]};
      expected += double{x[0][i]} * double{x[1][i]};
    }
    ASSERT_NEAR(product, expected, 1e-4) << n;
    Row other = x[0];
    generic().rotate(n, other.data());
    ASSERT_EQ(rotated[0], other);
    set().rotate(n, other.data());
    for (size_t i = 0; i < other.size(); ++i) ASSERT_NEAR(other[i], x[0][i], 1e-5) << n;
  }
}

TEST_P(RowOps, RotationSpreadsOneNumberOverItsBlock) {
  Row x(80, 0.0f);  // of 64 and 16
  x[3] = 8.0f;
  x[70] = 4.0f;
  set().rotate(80, x.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const bool minus = std::popcount(i < 64 ? i & 3 : (i - 64) & 6) % 2 != 0;
    ASSERT_EQ(x[i], minus ? -1.0f : 1.0f) << i;
  }
}

TEST_P(RowOps, Bf16RoundsToEvenAndKeepsNan) {
  Row x = random_row(301, 4, true);
  x[7] = NAN;
  x[8] = INFINITY;
  x[9] = -INFINITY;
  x[10] = 1e-40f;
  x[11] = 3.4e38f;
  std::vector<uint16_t> out(x.size());
  set().to_bf16(x.data(), static_cast<int64_t>(x.size()), out.data());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(out[i], f32_to_bf16(x[i])) << x[i];
  Row back(x.size());
  set().from_bf16(out.data(), static_cast<int64_t>(x.size()), back.data());
  for (size_t i = 12; i < x.size(); ++i) ASSERT_EQ(back[i], bf16_to_f32(out[i]));
}

TEST_P(RowOps, AddWeightedIsInOrderOfTheRows) {
  for (const int64_t n : {1, 7, 16, 64, 70, 131}) {
    const int64_t n_rows = 5, stride = n + 3;
    const auto rows = random_row(n_rows * stride, 1);
    const auto weights = random_row(n_rows, 2);
    const auto before = random_row(n, 3);
    std::vector<float> out = before;
    set().add_weighted(weights.data(), rows.data(), n_rows, stride, n, out.data());
    for (int64_t i = 0; i < n; ++i) {
      float sum = before[static_cast<size_t>(i)];
      for (int64_t r = 0; r < n_rows; ++r) {
        sum = std::fma(weights[static_cast<size_t>(r)], rows[static_cast<size_t>(r * stride + i)],
                       sum);
      }
      ASSERT_EQ(out[static_cast<size_t>(i)], sum) << "element " << i << " of " << n;
    }
  }
}

TEST_P(RowOps, DotsAreTheSameHoweverManyRowsStandTogether) {
  constexpr int64_t kRows = 7;
  for (const int64_t n : kLengths) {
    const Row x = random_row(n, 1);
    const Row rows = random_row(kRows * n, 2);
    const Row out = both(Row(kRows), [&](const KernelSet& s, Row& row) {
      s.dots(x.data(), rows.data(), kRows, n, row.data());
    });
    for (int64_t r = 0; r < kRows; ++r) {
      double expected = 0;
      for (int64_t i = 0; i < n; ++i) {
        expected +=
            double{x[static_cast<size_t>(i)]} * double{rows[static_cast<size_t>(r * n + i)]};
      }
      ASSERT_NEAR(out[static_cast<size_t>(r)], expected, 1e-6 * static_cast<double>(n)) << n;
      float alone = 0;
      set().dots(x.data(), rows.data() + r * n, 1, n, &alone);
      ASSERT_EQ(alone, out[static_cast<size_t>(r)]);
    }
  }
}

TEST_P(RowOps, ArgmaxTakesTheFirstOfEquals) {
  for (const int64_t n : kLengths) {
    Row x = random_row(n, 3);
    const auto expected = std::max_element(x.begin(), x.end()) - x.begin();
    EXPECT_EQ(set().argmax(x.data(), n), expected);
    x[static_cast<size_t>(n - 1)] = x[static_cast<size_t>(expected)];
    EXPECT_EQ(set().argmax(x.data(), n), expected);
  }
  Row x(40, -1.0f);
  x[3] = NAN;
  x[17] = 2;
  EXPECT_EQ(set().argmax(x.data(), 40), 17);
}

INSTANTIATE_TEST_SUITE_P(Sets, RowOps, ::testing::ValuesIn(tested_kernels()),
                         [](const auto& param) {
                           std::string name = param.param->name;
                           std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
                           return name;
                         });

// Of the whole program: STRATA_CPU is read once.
TEST(KernelChoice, IsTheBestSetOrTheOneThatIsNamed) {
  const char* wish = std::getenv("STRATA_CPU");
  const bool named = wish != nullptr && *wish != '\0';
  EXPECT_EQ(std::string(kernels().name), named ? wish : runnable_kernels().front()->name);
}

// A kernel object may define nothing that the linker could choose for the rest of the program:
// an inline function compiled for AVX-512 would then run on every CPU.
TEST(KernelObjects, CarryNoWeakSymbols) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers add symbols of their own";
#endif
  const std::string command = "nm -C " STRATA_KERNEL_OBJECTS " 2>&1 | grep -E ' [WVu] ' || true";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string found;
  char line[512];
  while (std::fgets(line, sizeof line, pipe) != nullptr) found += line;
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_EQ(found, "");
}

}  // namespace
}  // namespace strata::tensor
