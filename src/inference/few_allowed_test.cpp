// Of rows that few tokens may follow the allowed logits are those of the full head, bit for bit,
// whatever the head's type and the threads; the other rows are left to who computes the rest.
#include "inference/few_allowed.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/testing/random_weights.h"

namespace strata::inference {
namespace {

using tensor::DType;
using tensor::InputRows;
using tensor::PackedMatrix;
using tensor::testing::random_matrix;
using tensor::testing::random_row;

constexpr int64_t kVocab = 4000 + 7;
constexpr int64_t kWidth = 256;
constexpr float kNone = -std::numeric_limits<float>::infinity();

TokenMask mask_of(std::span<const int32_t> tokens) {
  TokenMask mask;
  mask.bits.resize((kVocab + 63) / 64);
  for (const int32_t token : tokens) allow(mask.bits, token);
  return mask;
}

TokenMask mask_of_every(int32_t nth) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < kVocab; i += nth) tokens.push_back(i);
  return mask_of(tokens);
}

Share rest_of(std::span<const WantedLogits> wanted) {
  FewAllowed few;
  few.prepare(wanted, (kVocab + tensor::kRowBlock - 1) / tensor::kRowBlock);
  return few.rest();
}

void expect_rest(Share rest, int64_t begin, int64_t end) {
  EXPECT_EQ(rest.end - rest.begin, end - begin);
  if (begin < end) {
    EXPECT_EQ(rest.begin, begin);
  }
}

TEST(FewAllowed, LeavesTheRowsBetweenThoseThatWantTheWholeHead) {
  const TokenMask few = mask_of(std::vector<int32_t>{3, 77, 4006});
  const TokenMask many = mask_of_every(5);
  const WantedLogits sparse{1, &few}, dense{1, &many}, all{};
  expect_rest(rest_of(std::vector{sparse}), 0, 0);
  expect_rest(rest_of(std::vector{all}), 0, 1);
  expect_rest(rest_of(std::vector{sparse, sparse, dense}), 2, 3);
  expect_rest(rest_of(std::vector{sparse, all, sparse, dense, sparse}), 1, 4);
  expect_rest(rest_of({}), 0, 0);
}

TEST(FewAllowed, RowsTogetherComputeNoMoreThanAQuarterOfAHead) {
  const TokenMask tenth = mask_of_every(160);  // of the row blocks
  const WantedLogits one{1, &tenth};
  expect_rest(rest_of(std::vector{one, one}), 0, 0);
  expect_rest(rest_of(std::vector{one, one, one}), 2, 3);
}

class FewAllowedTypes : public ::testing::TestWithParam<DType> {};

TEST_P(FewAllowedTypes, HaveTheFullHeadsLogits) {
  const auto weights = random_matrix(GetParam(), kVocab, kWidth, 1);
  std::mt19937 random(7);
  for (const bool planes : {false, true}) {
    if (planes && GetParam() != DType::q8_0) continue;
    for (const int threads : {1, 3}) {
      Team team(threads);
      const auto source = weights.source();
      const PackedMatrix head = planes ? PackedMatrix::pack_in_planes(source, team)
                                       : PackedMatrix::pack(std::span(&source, 1), team);
      const int64_t n_rows = 4;
      InputRows input;
      input.wants_int8 = head.wants(tensor::InputKind::int8);
      input.wants_bf16 = head.wants(tensor::InputKind::bf16);
      input.resize(n_rows, kWidth);
      for (int64_t r = 0; r < n_rows; ++r) {
        fill_row(random_row(kWidth, static_cast<uint32_t>(r)).data(), input, r);
      }
      std::vector<float> all(static_cast<size_t>(n_rows * kVocab));
      tensor::matmul(head, input, n_rows, all.data(), kVocab, 0, head.n_row_blocks());

      std::vector<TokenMask> masks;
      for (const int n : {0, 1, 40}) {
        std::vector<int32_t> tokens{static_cast<int32_t>(kVocab) - 1};
        for (int i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>(random() % kVocab));
        masks.push_back(mask_of(tokens));
      }
      const WantedLogits wanted[] = {{1, &masks[0]}, {}, {0, &masks[1]}, {40, &masks[2]}};
      FewAllowed few;
      few.prepare(wanted, head.n_row_blocks());
      std::vector<float> found(all.size(), NAN);
      team.run([&](int thread) {
        few.clear(found.data(), kVocab, thread, threads);
        team.barrier();
        few.run(head, input, found.data(), thread, threads);
      });
      for (int64_t r = 0; r < n_rows; ++r) {
        const TokenMask* mask = wanted[r].allowed;
        for (int32_t id = 0; id < kVocab; ++id) {
          const auto at = static_cast<size_t>(r * kVocab + id);
          if (mask == nullptr) {
            ASSERT_TRUE(std::isnan(found[at])) << "written by another";
          } else if (mask->has(id)) {
            ASSERT_EQ(found[at], all[at]) << "row " << r << ", token " << id;
          } else {
            ASSERT_TRUE(found[at] == all[at] || found[at] == kNone) << r << ", token " << id;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FewAllowedTypes,
                         ::testing::Values(DType::f32, DType::bf16, DType::q4_0, DType::q4_1,
                                           DType::q5_0, DType::q8_0, DType::q4_k, DType::q6_k,
                                           DType::iq4_nl),
                         [](const auto& test) {
                           return std::string(tensor::dtype_info(test.param).name);
                         });

}  // namespace
}  // namespace strata::inference
