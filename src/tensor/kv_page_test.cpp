// Pages of the key-value cache: what is written comes back, as near as the format says, and a copy
// of some positions has those and nothing else.
#include "tensor/kv_page.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "tensor/buffer.h"
#include "tensor/half.h"
#include "tensor/ops.h"
#include "tensor/testing/random_weights.h"

namespace strata::tensor {
namespace {

using testing::random_row;

struct Position {
  std::vector<float> k, v;
  bool operator==(const Position&) const = default;
};

class Page {
 public:
  explicit Page(const KvShape& shape)
      : shape_(shape), memory_(static_cast<size_t>(shape.page_bytes())) {}

  void write(int32_t slot, const Position& x) {
    write_kv(shape_, memory_.as<uint16_t>(), slot, x.k.data(), x.v.data());
  }
  Position read(int32_t slot) const {
    Position x{std::vector<float>(static_cast<size_t>(shape_.head_dim)),
               std::vector<float>(static_cast<size_t>(shape_.value_dim()))};
    read_kv(shape_, memory_.as<uint16_t>(), slot, x.k.data(), x.v.data());
    return x;
  }
  void copy_to(Page& other, int32_t n) const {
    copy_kv(shape_, memory_.as<uint16_t>(), n, other.memory_.as<uint16_t>());
  }

 private:
  KvShape shape_;
  Buffer memory_;
};

Position random_position(const KvShape& shape, int32_t slot) {
  Position x{random_row(shape.head_dim, static_cast<uint32_t>(slot)),
             random_row(shape.head_dim, static_cast<uint32_t>(1000 + slot))};
  if (shape.shared_dims > 0) x.v.assign(x.k.begin(), x.k.begin() + shape.shared_dims);
  return x;
}

// Half a step of the largest that there is when they are rotated, in each rotated dim.
void expect_near_whole(KvFormat format, const std::vector<float>& found,
                       const std::vector<float>& written) {
  std::vector<float> rotated = written;
  rotated.resize((written.size() + 15) / 16 * 16);
  kernels().rotate(static_cast<int64_t>(rotated.size()), rotated.data());
  float largest = 0.0f;
  for (const float x : rotated) largest = std::max(largest, std::fabs(x));
  double squares = 0.0;
  for (size_t d = 0; d < written.size(); ++d) {
    squares += std::pow(double{found[d]} - double{written[d]}, 2);
  }
  const double half_step = (format == KvFormat::int8 ? 0.5001 / 127 : 0.5001 / 8) * double{largest};
  ASSERT_LE(squares, half_step * half_step * static_cast<double>(rotated.size()));
}

void expect_as_written(const KvShape& shape, const Position& found, const Position& written) {
  if (shape.is_scaled()) {
    expect_near_whole(shape.format, found.k, written.k);
    expect_near_whole(shape.format, found.v, written.v);
    return;
  }
  for (size_t d = 0; d < written.k.size(); ++d) {
    ASSERT_EQ(found.k[d], bf16_to_f32(f32_to_bf16(written.k[d])));
  }
  ASSERT_EQ(found.v.size(), written.v.size());
  for (size_t d = 0; d < written.v.size(); ++d) {
    ASSERT_EQ(found.v[d], bf16_to_f32(f32_to_bf16(written.v[d])));
  }
}

std::vector<KvShape> shapes() {
  std::vector<KvShape> all;
  for (const int32_t head_dim : {1, 8, 33, 64, 80, 256}) {
    all.push_back({head_dim, KvFormat::bf16});
    all.push_back({head_dim, KvFormat::int8});
    all.push_back({head_dim, KvFormat::int4});
  }
  all.push_back({576, KvFormat::bf16, 512});
  all.push_back({27, KvFormat::bf16, 19});
  return all;
}

TEST(KvPage, ReadsBackWhatWasWritten) {
  for (const KvShape& shape : shapes()) {
    Page page(shape);
    for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
      page.write(slot, random_position(shape, 500 + slot));
      page.write(slot, random_position(shape, slot));  // over what a roll-back left
    }
    for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
      expect_as_written(shape, page.read(slot), random_position(shape, slot));
    }
  }
}

TEST(KvPage, ACopyHasTheFirstPositionsAndCanBeGoneOnFrom) {
  for (const KvShape& shape : shapes()) {
    Page whole(shape);
    for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
      whole.write(slot, random_position(shape, slot));
    }
    for (int32_t n = -1; n <= shape.page_positions() + 1; ++n) {
      Page copy(shape);
      whole.copy_to(copy, n);
      for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
        if (slot < n) {
          ASSERT_EQ(copy.read(slot), whole.read(slot)) << n;
        } else {  // a key that is not seen yet may be anything
          const auto v = copy.read(slot).v;
          ASSERT_TRUE(std::ranges::all_of(v, [](float x) { return x == 0.0f; })) << n;
        }
      }
      for (int32_t slot = std::max(n, 0); slot < shape.page_positions(); ++slot) {
        copy.write(slot, random_position(shape, slot));
      }
      for (int32_t slot = 0; slot < shape.page_positions(); ++slot) {
        ASSERT_EQ(copy.read(slot), whole.read(slot)) << n;
      }
    }
  }
}

TEST(KvPage, ValuesThatAreDimsOfTheKeysTakeNothing) {
  const KvShape apart{576, KvFormat::bf16}, shared{576, KvFormat::bf16, 512};
  EXPECT_EQ(shared.position_bytes(), 1152);
  EXPECT_EQ(apart.position_bytes(), 2 * shared.position_bytes());
}

TEST(KvPage, Int8TakesAboutHalfAndInt4AQuarter) {
  for (const KvShape& shape : shapes()) EXPECT_EQ(shape.page_bytes() % 64, 0);
  EXPECT_EQ((KvShape{64, KvFormat::int8}.position_bytes()), 136);   // bf16: 256
  EXPECT_EQ((KvShape{256, KvFormat::int8}.position_bytes()), 520);  // bf16: 1024
  EXPECT_EQ((KvShape{64, KvFormat::int4}.position_bytes()), 72);
  EXPECT_EQ((KvShape{256, KvFormat::int4}.position_bytes()), 264);
}

// Root mean square error of a key one dim of which is 100, the others at most 1.
double error_beside_a_large_dim(int32_t head_dim, size_t large, KvFormat format) {
  const KvShape shape{head_dim, format};
  Position x = random_position(shape, 1);
  x.k[large] = 100.0f;
  Page page(shape);
  page.write(0, x);
  const auto found = page.read(0).k;
  double squares = 0.0;
  for (size_t d = 0; d < x.k.size(); ++d) squares += std::pow(double{found[d] - x.k[d]}, 2);
  return std::sqrt(squares / head_dim);
}

// What keys have: a few dims that are always large. Steps of 100 / 127 have an error of 0.23.
TEST(KvPage, ALargeDimDoesNotCostTheOthersTheirPrecision) {
  EXPECT_LT(error_beside_a_large_dim(64, 10, KvFormat::int8), 0.06);
  EXPECT_LT(error_beside_a_large_dim(256, 10, KvFormat::int8), 0.04);
  EXPECT_LT(error_beside_a_large_dim(80, 10, KvFormat::int8), 0.06);
  // Of the last sixteen: spread over those.
  EXPECT_LT(error_beside_a_large_dim(80, 70, KvFormat::int8), 0.09);
  EXPECT_LT(error_beside_a_large_dim(256, 10, KvFormat::int4), 0.4);  // steps of 100 / 8: 3.6
}

TEST(KvPage, AnySizeOfNumberKeepsItsPrecision) {
  for (const KvFormat format : {KvFormat::int8, KvFormat::int4}) {
    const KvShape shape{64, format};
    for (const float size : {1e-18f, 1e-6f, 1e-3f, 1e3f, 1e7f, 1e18f}) {
      Position x = random_position(shape, 1);
      for (float& each : x.k) each *= size;
      for (float& each : x.v) each *= size;
      Page page(shape);
      page.write(5, x);
      expect_as_written(shape, page.read(5), x);
    }
  }
}

TEST(KvPage, ZerosComeBackAsZeros) {
  for (const KvShape& shape : shapes()) {
    const std::vector<float> none(static_cast<size_t>(shape.head_dim), 0.0f);
    Page page(shape);
    page.write(3, random_position(shape, 1));
    page.write(3, {none, none});
    const Position found = page.read(3);
    EXPECT_EQ(found.k, none);
    EXPECT_EQ(found.v, std::vector<float>(found.v.size(), 0.0f));
  }
}

TEST(KvPage, WhatIsNotFiniteShowsInItsHeadAndPositionOnly) {
  for (const KvFormat format : {KvFormat::int8, KvFormat::int4}) {
    const KvShape shape{64, format};
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      Page page(shape);
      const Position good = random_position(shape, 1);
      Position x = good;
      x.k[3] = bad;
      page.write(7, x);
      page.write(8, good);
      const Position found = page.read(7);
      for (size_t d = 0; d < 64; ++d) ASSERT_TRUE(std::isnan(found.k[d])) << bad;
      expect_as_written(shape, {good.k, found.v}, good);
      expect_as_written(shape, page.read(8), good);
    }
  }
}

TEST(KvFormatName, IsReadBackAndOthersAreRefusedWithTheList) {
  for (const KvFormat format : {KvFormat::bf16, KvFormat::int8, KvFormat::int4}) {
    EXPECT_EQ(kv_format_of(kv_format_name(format), "--kv"), format);
  }
  EXPECT_EQ(kv_format_of("f16", "it"), KvFormat::bf16);
  EXPECT_EQ(kv_format_of("q8_0", "it"), KvFormat::int8);
  EXPECT_EQ(kv_format_of("q4_0", "it"), KvFormat::int4);
  for (const char* bad : {"q4_1", "", "INT8", "int8 "}) {
    const Error error = strata::testing::error_of([&] { kv_format_of(bad, "--kv"); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_NE(error.message().find(fmt::format("--kv is '{}', it must be bf16, int8 or int4", bad)),
              std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace strata::tensor
