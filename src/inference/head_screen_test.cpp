// The greatest logits of a screened head are those of the full head, bit for bit, whatever the
// weights, the inputs and the threads; and so are the tokens that every sampler draws.
#include "inference/head_screen.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "inference/candidates.h"
#include "inference/sampler.h"
#include "tensor/half.h"
#include "tensor/ops.h"
#include "tensor/testing/random_weights.h"

namespace strata::inference {
namespace {

using tensor::DType;
using tensor::InputRows;
using tensor::PackedMatrix;
using tensor::testing::random_matrix;
using tensor::testing::random_row;
using tensor::testing::RandomMatrix;

constexpr float kNone = -std::numeric_limits<float>::infinity();

// A head and its screen, and how many steps were screened.
class Head {
 public:
  Head(const RandomMatrix& weights, int threads, int32_t n_choosable = 0)
      : team_(threads),
        matrix_(PackedMatrix::pack_in_planes(weights.source(), team_)),
        screen_(matrix_, n_choosable > 0 ? n_choosable : static_cast<int32_t>(weights.rows),
                team_) {}

  InputRows input(std::span<const std::vector<float>> rows) const {
    InputRows input;
    input.resize(static_cast<int64_t>(rows.size()), matrix_.cols());
    for (size_t r = 0; r < rows.size(); ++r) {
      fill_row(rows[r].data(), input, static_cast<int64_t>(r));
    }
    return input;
  }
  std::vector<float> all(const InputRows& input, int64_t n_rows) {
    std::vector<float> logits(static_cast<size_t>(n_rows * matrix_.rows()));
    tensor::matmul(matrix_, input, n_rows, logits.data(), matrix_.rows(), 0,
                   matrix_.n_row_blocks());
    return logits;
  }
  // The logits of a step that wants these many of the greatest; empty when it was not screened.
  std::vector<float> screened(const InputRows& input, std::span<const int32_t> n_likeliest) {
    std::vector<WantedLogits> wanted;
    for (const int32_t n : n_likeliest) wanted.push_back({n});
    return screened(input, wanted);
  }
  std::vector<float> screened(const InputRows& input, std::span<const WantedLogits> wanted) {
    screen_.prepare(wanted);
    const auto n_rows = static_cast<int64_t>(wanted.size());
    for (int64_t r = 0; r < n_rows; ++r) screen_.input_is_ready(input, r);
    if (!screen_.used()) return {};
    std::vector<float> logits(static_cast<size_t>(n_rows * matrix_.rows()), NAN);
    team_.run([&](int thread) { screen_.run(matrix_, input, logits.data(), team_, thread); });
    return logits;
  }
  size_t n_vocab() const { return static_cast<size_t>(matrix_.rows()); }

 private:
  Team team_;
  PackedMatrix matrix_;
  HeadScreen screen_;
};

void expect_same_greatest(std::span<const float> screened, std::span<const float> all, int32_t n) {
  const auto expected = top_k(all, n);
  const auto found = top_k(screened, n);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(found[i].id, expected[i].id) << "place " << i << " of " << n;
    ASSERT_EQ(found[i].logit, expected[i].logit);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_TRUE(screened[i] == all[i] || screened[i] == kNone) << "id " << i;
  }
}

int64_t n_computed(std::span<const float> logits) {
  return std::count_if(logits.begin(), logits.end(), [](float x) { return x != kNone; });
}

TEST(HeadScreen, TenThousandStepsHaveTheFullHeadsGreatest) {
  const RandomMatrix weights = random_matrix(DType::q8_0, 3000, 64, 1);
  Head head(weights, 2);
  const int32_t wanted[] = {1, 1, 3, 8};
  int n_screened = 0;
  for (uint32_t step = 0; step < 10000; ++step) {
    const std::vector<float> x = random_row(64, step, step % 5 == 0);
    const InputRows input = head.input(std::span(&x, 1));
    const int32_t n = wanted[step % 4];
    const auto logits = head.screened(input, std::span(&n, 1));
    if (logits.empty()) continue;
    ++n_screened;
    ASSERT_NO_FATAL_FAILURE(expect_same_greatest(logits, head.all(input, 1), n)) << step;
  }
  EXPECT_EQ(n_screened, 10000);
}

// Rows that a screen pays for with these kernels.
size_t most_rows() {
  return static_cast<size_t>(tensor::kernels().screen_columns);
}

TokenMask mask_of(size_t n_tokens, const std::function<bool(size_t)>& has) {
  TokenMask mask;
  mask.bits.resize((n_tokens + 63) / 64);
  for (size_t i = 0; i < n_tokens; ++i) {
    if (has(i)) allow(mask.bits, static_cast<int32_t>(i));
  }
  return mask;
}

// Masks of nearly all tokens, of some, of fewer than are wanted, of a few neighbours, of none, and
// one that ends before the head does.
std::vector<TokenMask> masks_of(size_t n_tokens) {
  return {mask_of(n_tokens, [](size_t i) { return i % 13 != 0; }),
          mask_of(n_tokens, [](size_t i) { return i * 2654435761u % 97 < 5; }),
          mask_of(n_tokens, [](size_t i) { return i % 511 == 7; }),
          mask_of(n_tokens, [](size_t i) { return i >= 700 && i < 705; }),
          mask_of(n_tokens, [](size_t) { return false; }),
          mask_of(n_tokens / 2, [](size_t i) { return i % 3 == 0; })};
}

// With the reference kernels too, which screen more rows than some. The second row is masked, so
// that blocks are wanted on both sides of it.
TEST(HeadScreen, AnyThreadsAndSeveralRowsHaveTheSame) {
  const RandomMatrix weights = random_matrix(DType::q8_0, 2000 + 7, 96, 2);
  const TokenMask mask = mask_of(2007, [](size_t i) { return i % 511 == 7; });
  for (const tensor::KernelSet* kernels : {tensor::runnable_kernels().back(), &tensor::kernels()}) {
    tensor::use_kernels(kernels);
    std::vector<std::vector<float>> rows;
    std::vector<WantedLogits> wanted;
    for (uint32_t r = 0; r < most_rows(); ++r) {
      rows.push_back(random_row(96, r, r % 4 == 1));
      wanted.push_back({std::vector<int32_t>{1, 8, 2, 5}[r % 4], r == 1 ? &mask : nullptr});
    }
    for (const int threads : {1, 2, 3, 5}) {
      Head head(weights, threads);
      const InputRows input = head.input(rows);
      const auto all = head.all(input, static_cast<int64_t>(rows.size()));
      const auto logits = head.screened(input, wanted);
      ASSERT_FALSE(logits.empty());
      for (size_t r = 0; r < rows.size(); ++r) {
        const auto found = std::span(logits).subspan(r * head.n_vocab(), head.n_vocab());
        const auto expected = std::span(all).subspan(r * head.n_vocab(), head.n_vocab());
        if (wanted[r].allowed == nullptr) {
          ASSERT_NO_FATAL_FAILURE(expect_same_greatest(found, expected, wanted[r].n_likeliest));
          continue;
        }
        std::vector<float> found_allowed, expected_allowed;
        keep_allowed(found, mask, found_allowed);
        keep_allowed(expected, mask, expected_allowed);
        ASSERT_NO_FATAL_FAILURE(
            expect_same_greatest(found_allowed, expected_allowed, wanted[r].n_likeliest));
      }
    }
  }
  tensor::use_kernels(nullptr);
}

TEST(HeadScreen, UnderAMaskTheGreatestThatItAllowsAreThoseOfTheFullHead) {
  const RandomMatrix weights = random_matrix(DType::q8_0, 3000, 64, 3);
  for (const int threads : {1, 3}) {
    Head head(weights, threads, 2990);
    const std::vector<TokenMask> masks = masks_of(2990);
    int n_screened = 0;
    for (uint32_t step = 0; step < 600; ++step) {
      const std::vector<std::vector<float>> rows = {random_row(64, step, step % 5 == 0),
                                                    random_row(64, step + 9999)};
      const InputRows input = head.input(rows);
      const TokenMask& mask = masks[step % masks.size()];
      const int32_t n = step % 4 == 0 ? 40 : 3;
      const auto logits = head.screened(input, std::vector<WantedLogits>{{n, &mask}, {n, nullptr}});
      if (logits.empty()) continue;
      ++n_screened;
      const auto all = head.all(input, 2);
      std::vector<float> allowed, expected;
      keep_allowed(std::span(logits).first(2990), mask, allowed);
      keep_allowed(std::span(all).first(2990), mask, expected);
      ASSERT_NO_FATAL_FAILURE(expect_same_greatest(allowed, expected, n)) << step;
      ASSERT_NO_FATAL_FAILURE(expect_same_greatest(std::span(logits).subspan(3000, 2990),
                                                   std::span(all).subspan(3000, 2990), n))
          << step;
    }
    EXPECT_GT(n_screened, 200);
  }
}

TEST(HeadScreen, ComputesNothingWhereAMaskAllowsNothing) {
  const RandomMatrix weights = random_matrix(DType::q8_0, 3000, 64, 3);
  Head head(weights, 2);
  const std::vector<float> x = random_row(64, 1);
  const InputRows input = head.input(std::span(&x, 1));
  const TokenMask mask = mask_of(3000, [](size_t i) { return i == 16 || i == 17 || i == 2999; });
  const auto logits = head.screened(input, std::vector<WantedLogits>{{40, &mask}});
  ASSERT_FALSE(logits.empty());
  EXPECT_LE(n_computed(logits), 2 * 16);
}

// Scale and quants of all blocks by a function of (row, block, k).
RandomMatrix made(int64_t rows, int64_t cols,
                  const std::function<void(int64_t, int64_t, float&, int8_t*)>& make) {
  RandomMatrix m = random_matrix(DType::q8_0, rows, cols, 1);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t b = 0; b < cols / 32; ++b) {
      std::byte* at = &m.bytes[static_cast<size_t>(row * (cols / 32) + b) * 34];
      float scale = 1.0f;
      int8_t quants[32] = {};
      make(row, b, scale, quants);
      const uint16_t half = tensor::f32_to_f16(scale);
      std::memcpy(at, &half, 2);
      std::memcpy(at + 2, quants, 32);
    }
  }
  return m;
}

// Heads that a bound cannot tell apart: what it cannot rule out is computed.
TEST(HeadScreen, AdversarialHeadsHaveTheFullHeadsGreatest) {
  const std::vector<RandomMatrix> heads = {
      made(2000, 64, [](int64_t, int64_t, float&, int8_t* q) { std::fill_n(q, 32, 5); }),
      // The upper bits are all alike, the lower ones decide.
      made(2000, 64,
           [](int64_t row, int64_t b, float&, int8_t* q) {
             for (int k = 0; k < 32; ++k) q[k] = static_cast<int8_t>((row * 7 + b + k) % 8);
           }),
      made(2000, 64,
           [](int64_t row, int64_t, float& scale, int8_t* q) {
             scale = row % 2 == 0 ? -65504.0f : 6e-8f;
             for (int k = 0; k < 32; ++k) q[k] = static_cast<int8_t>(row % 3 == 0 ? -128 : 127);
           }),
      made(2000, 64, [](int64_t, int64_t, float& scale, int8_t*) { scale = 0.0f; })};
  for (size_t h = 0; h < heads.size(); ++h) {
    for (const int32_t n : {1, 2, 40, 128}) {
      Head head(heads[h], 2);
      const std::vector<float> x = random_row(64, static_cast<uint32_t>(h));
      const InputRows input = head.input(std::span(&x, 1));
      const auto logits = head.screened(input, std::span(&n, 1));
      ASSERT_FALSE(logits.empty());
      ASSERT_NO_FATAL_FAILURE(expect_same_greatest(logits, head.all(input, 1), n)) << h;
    }
  }
}

TEST(HeadScreen, RowsThatAreNoTokensDoNotCount) {
  // The greatest logits are those of rows behind the last token.
  const RandomMatrix weights =
      made(1000, 64, [](int64_t row, int64_t, float&, int8_t* q) { std::fill_n(q, 32, row / 10); });
  Head head(weights, 2, 900);
  const std::vector<float> x(64, 1.0f);
  const InputRows input = head.input(std::span(&x, 1));
  const int32_t n = 40;
  const auto logits = head.screened(input, std::span(&n, 1));
  ASSERT_FALSE(logits.empty());
  const auto all = head.all(input, 1);
  expect_same_greatest(std::span(logits).first(900), std::span(all).first(900), n);
}

TEST(HeadScreen, LeavesOutMostOfAHeadThatIsSure) {
  // One row in a hundred looks the same way as the input.
  const RandomMatrix weights = made(4000, 64, [](int64_t row, int64_t b, float&, int8_t* q) {
    for (int64_t k = 0; k < 32; ++k) {
      q[k] = static_cast<int8_t>(row % 100 == 0 ? 100 : (row * 31 + b * 17 + k * 13) % 41 - 20);
    }
  });
  Head head(weights, 1);
  const std::vector<float> x(64, 1.0f);
  const InputRows input = head.input(std::span(&x, 1));
  const int32_t n = 1;
  const auto logits = head.screened(input, std::span(&n, 1));
  ASSERT_FALSE(logits.empty());
  expect_same_greatest(logits, head.all(input, 1), n);
  EXPECT_LE(n_computed(logits), 41 * 16);
}

TEST(HeadScreen, IsNotUsedForAllLogitsManyRowsOrInputsThatOverflow) {
  const RandomMatrix weights = random_matrix(DType::q8_0, 320, 64, 1);
  Head head(weights, 1);
  std::vector<std::vector<float>> rows(most_rows() + 1, random_row(64, 1));
  const InputRows input = head.input(rows);
  EXPECT_FALSE(head.screened(input, std::vector<int32_t>{1}).empty());
  EXPECT_TRUE(head.screened(input, std::vector<int32_t>{0}).empty());
  EXPECT_TRUE(head.screened(input, std::vector<int32_t>{1, 0}).empty());
  EXPECT_TRUE(head.screened(input, std::vector<int32_t>{129}).empty());
  EXPECT_TRUE(head.screened(input, std::vector<int32_t>(most_rows() + 1, 1)).empty());
  EXPECT_TRUE(head.screened(input, std::vector<int32_t>{}).empty());
  rows[0][3] = 1e35f;
  EXPECT_TRUE(head.screened(head.input(rows), std::vector<int32_t>{1}).empty());
}

// Every sampler that says how many logits it looks at draws the same with the others at -inf.
TEST(HeadScreen, SamplersDrawTheSameFromTheLikeliest) {
  std::vector<SamplerParams> all;
  for (const float temperature : {0.0f, 0.7f, 1.5f}) {
    for (const bool penalised : {false, true}) {
      for (const int chain : {0, 1, 2, 3}) {
        SamplerParams p;
        p.temperature = temperature;
        p.top_k = 20;
        p.repeat_penalty = penalised ? 1.3f : 1.0f;
        p.presence_penalty = penalised ? 0.5f : 0.0f;
        p.repeat_last_n = 16;
        if (chain == 1) p.top_p = 0.8f;
        if (chain == 2) p.min_p = 0.1f, p.xtc_probability = 0.5f;
        if (chain == 3) p.typical_p = 0.7f, p.logit_bias = {{3, -2.0f}, {7, kNone}};
        all.push_back(p);
      }
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    Sampler full(all[i], 0, nullptr);
    Sampler few(all[i], 0, nullptr);
    const int32_t n = few.n_likeliest();
    ASSERT_GT(n, 0);
    std::vector<int32_t> history = {1, 2, 3};
    for (uint32_t step = 0; step < 200; ++step) {
      std::vector<float> logits = random_row(500, step);
      for (float& x : logits) x = std::round(x * 8.0f);  // ties
      std::vector<float> likeliest(logits.size(), kNone);
      const float least = top_k(logits, n).back().logit;
      for (size_t t = 0; t < logits.size(); ++t) {
        if (logits[t] >= least) likeliest[t] = logits[t];
      }
      const int32_t id = full.sample(logits, history);
      ASSERT_EQ(few.sample(likeliest, history), id) << "sampler " << i << ", step " << step;
      history.push_back(id);
    }
  }
}

TEST(HeadScreen, SamplersThatNeedEveryLogitSaySo) {
  const auto n_of = [](auto change) {
    SamplerParams p;
    p.top_k = 20;
    change(p);
    return Sampler(p, 0, nullptr).n_likeliest();
  };
  EXPECT_EQ(n_of([](SamplerParams&) {}), 20);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.temperature = 0.0f; }), 1);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.repeat_penalty = 1.1f; }), 84);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.top_k = 0; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.top_n_sigma = 1.0f; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.mirostat = 2; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.dry_multiplier = 0.5f; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.repeat_penalty = 0.9f; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.presence_penalty = -0.1f; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.logit_bias = {{1, 0.5f}}; }), 0);
  EXPECT_EQ(n_of([](SamplerParams& p) { p.repeat_penalty = 1.1f, p.repeat_last_n = -1; }), 0);
}

}  // namespace
}  // namespace strata::inference
