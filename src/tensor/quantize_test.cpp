#include "tensor/quantize.h"

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "tensor/dequant.h"
#include "tensor/searches.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

constexpr std::array kSearchedTypes{DType::q2_k, DType::q3_k,   DType::q4_k,   DType::q5_k,
                                    DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};
constexpr std::array kFormulas{DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0};

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return out;
}

std::vector<std::byte> quantized(DType type, const std::vector<float>& x,
                                 const std::vector<float>& importance = {}) {
  std::vector<std::byte> out(bytes_of(type, x.size()));
  EXPECT_TRUE(quantize_row(type, x.data(), out.data(), static_cast<int64_t>(x.size()),
                           importance.empty() ? nullptr : importance.data()));
  return out;
}

std::vector<float> back(DType type, const std::vector<std::byte>& blocks, size_t n) {
  std::vector<float> out(n);
  dequantize_row(type, blocks.data(), out.data(), static_cast<int64_t>(n));
  return out;
}

double error(DType type, const std::vector<float>& x, const std::vector<float>& importance,
             const std::vector<float>& judged_by) {
  const auto y = back(type, quantized(type, x, importance), x.size());
  double sum = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double off = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sum += static_cast<double>(judged_by[i]) * off * off;
  }
  return sum;
}

struct Fixture {
  std::vector<float> weights;
  std::map<DType, std::vector<std::byte>> blocks;
};

// testdata/quantize.txt, written by tests/oracle/quantize.py.
Fixture read_fixture() {
  std::ifstream file(STRATA_SOURCE_DIR "/src/tensor/testdata/quantize.txt");
  Fixture fixture;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (fixture.weights.empty()) {
      const auto bytes = from_hex(line);
      fixture.weights.resize(bytes.size() / sizeof(float));
      std::memcpy(fixture.weights.data(), bytes.data(), bytes.size());
      continue;
    }
    std::istringstream parts(line);
    uint32_t id = 0;
    std::string hex;
    parts >> id >> hex;
    fixture.blocks[dtype_info(id).type] = from_hex(hex);
  }
  return fixture;
}

TEST(Quantize, WritesTheReferencesBytes) {
  const Fixture fixture = read_fixture();
  ASSERT_EQ(fixture.blocks.size(), kFormulas.size());
  for (const auto& [type, expected] : fixture.blocks) {
    EXPECT_EQ(quantized(type, fixture.weights), expected) << dtype_info(type).name;
    // Of weights that are a hundredth larger the bytes are others.
    auto larger = fixture.weights;
    for (float& x : larger) x *= 1.01f;
    EXPECT_NE(quantized(type, larger), expected) << dtype_info(type).name;
  }
}

TEST(Quantize, ARowOfAnyLengthIsItsBlocksOneByOne) {
  const auto x = testing::random_row(32 * 21, 3);
  for (const DType type : {DType::iq4_nl, DType::mxfp4, DType::q4_0, DType::q5_1}) {
    const auto ones = std::vector<float>(x.size(), 1.0f);
    const auto whole = quantized(type, x, ones);
    std::vector<std::byte> parts;
    for (size_t i = 0; i < x.size(); i += 32) {
      const auto block = quantized(
          type, {x.begin() + static_cast<int64_t>(i), x.begin() + static_cast<int64_t>(i) + 32},
          std::vector<float>(32, 1.0f));
      parts.insert(parts.end(), block.begin(), block.end());
    }
    EXPECT_EQ(whole, parts) << dtype_info(type).name;
  }
}

TEST(Quantize, AWeightThatBlocksHoldComesBack) {
  // What a block gives back is quantised to itself: levels 0 and the ends are in use.
  for (const DType type : kSearchedTypes) {
    const auto x = testing::random_row(1024, 5);
    const auto once = back(type, quantized(type, x), x.size());
    const auto twice = back(type, quantized(type, once), x.size());
    double off = 0.0;
    double size = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      off += std::pow(static_cast<double>(once[i] - twice[i]), 2);
      size += std::pow(static_cast<double>(x[i]), 2);
    }
    EXPECT_LT(std::sqrt(off / size), 0.02) << dtype_info(type).name;
  }
}

TEST(Quantize, ImportanceMovesTheErrorToWhereItCountsLess) {
  const auto x = testing::random_row(4096, 7);
  std::vector<float> importance(x.size());
  for (size_t i = 0; i < x.size(); ++i) importance[i] = i % 8 == 0 ? 20.0f : 0.2f;
  for (const DType type :
       {DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl,
        DType::iq4_xs, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1}) {
    const double with = error(type, x, importance, importance);
    const double without = error(type, x, {}, importance);
    EXPECT_LT(with, 0.97 * without) << dtype_info(type).name;
    EXPECT_GT(
        error(type, x, importance, std::vector<float>(x.size(), 1.0f)),
        error(type, x, std::vector<float>(x.size(), 1.0f), std::vector<float>(x.size(), 1.0f)))
        << dtype_info(type).name;
  }
}

template <class Found>
void expect_same(void (*fast)(const float*, const float*, Found&),
                 void (*plain)(const float*, const float*, Found&), const char* name) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const auto x = testing::random_row(kSearched, seed, seed % 2 == 1);
    auto w = testing::random_row(kSearched, seed + 100);
    for (float& count : w) count = seed % 4 < 2 ? 1.0f : count * count;
    Found found{}, expected{};
    fast(x.data(), w.data(), found);
    plain(x.data(), w.data(), expected);
    EXPECT_EQ(std::memcmp(&found, &expected, sizeof(Found)), 0) << name << ", seed " << seed;
  }
}

TEST(Quantize, EveryInstructionSetFindsTheSame) {
  const SearchSet& fast = searches();
  const SearchSet& plain = generic_searches();
  expect_same(fast.q2_k, plain.q2_k, "Q2_K");
  expect_same(fast.q3_k, plain.q3_k, "Q3_K");
  expect_same(fast.q4_k, plain.q4_k, "Q4_K");
  expect_same(fast.q5_k, plain.q5_k, "Q5_K");
  expect_same(fast.q6_k, plain.q6_k, "Q6_K");
  expect_same(fast.iq4_xs, plain.iq4_xs, "IQ4_XS");
  expect_same(fast.q4_0, plain.q4_0, "Q4_0");
  expect_same(fast.q4_1, plain.q4_1, "Q4_1");
  expect_same(fast.q5_0, plain.q5_0, "Q5_0");
  expect_same(fast.q5_1, plain.q5_1, "Q5_1");
  expect_same(fast.iq4_nl, plain.iq4_nl, "IQ4_NL");
  expect_same(fast.mxfp4, plain.mxfp4, "MXFP4");
}

TEST(Quantize, ZerosAndFlatBlocksAreExact) {
  for (const DType type : kSearchedTypes) {
    const std::vector<float> zeros(512);
    EXPECT_EQ(back(type, quantized(type, zeros), 512), zeros) << dtype_info(type).name;
    const std::vector<float> flat(512, -0.5f);
    const auto y = back(type, quantized(type, flat), 512);
    for (const float weight : y) EXPECT_NEAR(weight, -0.5f, 2e-3f) << dtype_info(type).name;
  }
}

TEST(Quantize, RefusesWhatNoScaleHolds) {
  std::vector<std::byte> out(4096);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), 1e12f, -1e12f}) {
    auto x = testing::random_row(256, 1);
    x[100] = bad;
    for (const DType type : kSearchedTypes) {
      EXPECT_FALSE(quantize_row(type, x.data(), out.data(), 256, nullptr));
    }
    for (const DType type : kFormulas) {
      EXPECT_FALSE(quantize_row(type, x.data(), out.data(), 256, nullptr));
    }
    EXPECT_FALSE(quantize_row(DType::f16, x.data(), out.data(), 256, nullptr));
    EXPECT_EQ(quantize_row(DType::bf16, x.data(), out.data(), 256, nullptr), std::isfinite(bad));
  }
  const auto x = testing::random_row(256, 1);
  EXPECT_THROW(quantize_row(DType::q4_k, x.data(), out.data(), 255, nullptr), Error);
  EXPECT_THROW(quantize_row(DType::iq2_xs, x.data(), out.data(), 256, nullptr), Error);
  EXPECT_FALSE(can_quantize(DType::iq2_xs));
  EXPECT_TRUE(can_quantize(DType::q4_k));
}

}  // namespace
}  // namespace strata::tensor
