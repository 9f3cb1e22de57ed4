#include "tensor/dequant.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "tensor/half.h"

namespace strata::tensor {
namespace {

#if defined(__aarch64__)
using CompilersHalf = __fp16;  // g++ 12 has no _Float16 there
#else
using CompilersHalf = _Float16;
#endif

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return out;
}

struct Case {
  std::string name;
  DType type = DType::f32;
  int64_t n_weights = 0;
  std::vector<std::byte> blocks, expected;
};

// testdata/dequant.txt, written by tests/oracle/dequant.py.
std::vector<Case> read_cases() {
  std::ifstream file(STRATA_SOURCE_DIR "/src/tensor/testdata/dequant.txt");
  std::vector<Case> cases;
  std::string line, blocks, expected;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream head(line);
    Case entry;
    uint32_t id = 0;
    head >> entry.name >> id >> entry.n_weights;
    entry.type = dtype_info(id).type;
    std::getline(file, blocks);
    std::getline(file, expected);
    entry.blocks = from_hex(blocks);
    entry.expected = from_hex(expected);
    cases.push_back(std::move(entry));
  }
  return cases;
}

TEST(Dequant, EqualsTheReferencesBitForBit) {
  std::set<uint32_t> seen;
  for (const Case& entry : read_cases()) {
    SCOPED_TRACE(entry.name);
    seen.insert(static_cast<uint32_t>(entry.type));
    ASSERT_EQ(entry.blocks.size(), bytes_of(entry.type, static_cast<uint64_t>(entry.n_weights)));
    // One byte off, since blocks stand at any address.
    std::vector<std::byte> shifted(entry.blocks.size() + 1);
    std::memcpy(shifted.data() + 1, entry.blocks.data(), entry.blocks.size());
    std::vector<float> result(static_cast<size_t>(entry.n_weights));
    dequantize_row(entry.type, shifted.data() + 1, result.data(), entry.n_weights);
    ASSERT_EQ(entry.expected.size(), result.size() * sizeof(float));
    for (size_t i = 0; i < result.size(); ++i) {
      float expected = 0;
      std::memcpy(&expected, entry.expected.data() + i * sizeof(float), sizeof(float));
      ASSERT_EQ(std::bit_cast<uint32_t>(result[i]), std::bit_cast<uint32_t>(expected))
          << "weight " << i << ": " << result[i] << " is not " << expected;
    }
  }
  EXPECT_EQ(seen.size(), 28u);
}

template <typename T>
std::vector<float> convert(DType type, const std::vector<T>& values) {
  std::vector<float> out(values.size());
  dequantize_row(type, reinterpret_cast<const std::byte*>(values.data()), out.data(),
                 static_cast<int64_t>(values.size()));
  return out;
}

TEST(Dequant, ConvertsPlainNumbers) {
  using Floats = std::vector<float>;
  EXPECT_EQ(convert<float>(DType::f32, {1.5f, -0.0f}), (Floats{1.5f, -0.0f}));
  EXPECT_EQ(convert<double>(DType::f64, {0.1, 1e300}),
            (Floats{0.1f, std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(convert<int8_t>(DType::i8, {-128, 127}), (Floats{-128, 127}));
  EXPECT_EQ(convert<int16_t>(DType::i16, {-32768, 5}), (Floats{-32768, 5}));
  EXPECT_EQ(convert<int32_t>(DType::i32, {16777217, -1}), (Floats{16777216, -1}));
  EXPECT_EQ(convert<int64_t>(DType::i64, {int64_t{1} << 62}), (Floats{0x1p62f}));
}

TEST(Dequant, KnowsEveryTypeOfTheFormat) {
  for (uint32_t id = 0; id < 64; ++id) {
    const DTypeInfo* info = nullptr;
    try {
      info = &dtype_info(id);
    } catch (const Error&) {
      continue;
    }
    const std::vector<std::byte> zeros(info->block_bytes);
    std::vector<float> out(info->block_weights, 1.0f);
    dequantize_row(info->type, zeros.data(), out.data(), info->block_weights);
    for (const float weight : out) EXPECT_TRUE(std::isfinite(weight)) << info->name;
    EXPECT_EQ(first_bad_scale(info->type, zeros.data(), info->block_weights), -1) << info->name;
  }
}

TEST(Dequant, RefusesPartsOfABlock) {
  std::vector<std::byte> block(18);
  std::vector<float> out(32);
  EXPECT_THROW(dequantize_row(DType::q4_0, block.data(), out.data(), 31), Error);
  EXPECT_THROW(dequantize_row(DType::q4_0, block.data(), out.data(), -32), Error);
}

// Sets 16 bits at an offset of the second of two blocks.
int64_t bad_after_patch(DType type, size_t at, uint16_t bits) {
  const auto& info = dtype_info(type);
  std::vector<std::byte> blocks(2 * info.block_bytes);
  std::memcpy(blocks.data() + info.block_bytes + at, &bits, sizeof(bits));
  return first_bad_scale(type, blocks.data(), 2 * info.block_weights);
}

TEST(Dequant, FindsScalesThatAreNotFinite) {
  for (const uint16_t bits : {uint16_t{0x7C00}, uint16_t{0xFC00}, uint16_t{0x7E01}}) {
    EXPECT_EQ(bad_after_patch(DType::q4_0, 0, bits), 1);
    EXPECT_EQ(bad_after_patch(DType::q4_1, 2, bits), 1);
    EXPECT_EQ(bad_after_patch(DType::q6_k, 208, bits), 1);
    EXPECT_EQ(bad_after_patch(DType::q4_k, 2, bits), 1);
    EXPECT_EQ(bad_after_patch(DType::f16, 0, bits), 1);
  }
  EXPECT_EQ(bad_after_patch(DType::bf16, 0, 0x7FC0), 1);
  EXPECT_EQ(bad_after_patch(DType::mxfp4, 0, 0x00FF), 1);
  EXPECT_EQ(bad_after_patch(DType::nvfp4, 2, 0x7F00), 1);
  EXPECT_EQ(bad_after_patch(DType::iq1_m, 54, 0x7000), -1);  // a part of the exponent only
  EXPECT_EQ(bad_after_patch(DType::q4_0, 4, 0x7C00), -1);    // values, not the scale
  const std::vector<float> plain{1, std::nanf(""), 2};
  EXPECT_EQ(first_bad_scale(DType::f32, reinterpret_cast<const std::byte*>(plain.data()), 3), 1);
}

TEST(Half, RoundTripsEveryFloat16) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), half);
      ASSERT_EQ(static_cast<float>(std::bit_cast<CompilersHalf>(half)), value);
    }
  }
}

TEST(Half, RoundsLikeTheCompiler) {
  uint32_t state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 1664525u + 1013904223u;
    // Exponents around the range of float16, ties included.
    const uint32_t bits = (state & 0x80FFF000u) | (((state >> 3) % 48u + 96u) << 23);
    const float value = std::bit_cast<float>(bits);
    const auto expected = std::bit_cast<uint16_t>(static_cast<CompilersHalf>(value));
    ASSERT_EQ(f32_to_f16(value), expected) << value;
  }
}

TEST(Half, RoundsBfloat16ToNearestEven) {
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808000u)), 0x3F80);  // tie to even
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7F800001u)))));
}

}  // namespace
}  // namespace strata::tensor
