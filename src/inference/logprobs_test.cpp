#include "inference/logprobs.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

TEST(Logprobs, are_of_the_raw_distribution_most_likely_first) {
  const std::vector<float> logits{std::log(0.1f), std::log(0.6f), std::log(0.3f)};
  const LogprobRow row = logprobs(logits, 0, 2);
  EXPECT_NEAR(row.chosen, std::log(0.1), 1e-6);
  ASSERT_EQ(row.top.size(), 2u);
  EXPECT_EQ(row.top[0].id, 1);
  EXPECT_NEAR(row.top[0].logprob, std::log(0.6), 1e-6);
  EXPECT_EQ(row.top[1].id, 2);
  EXPECT_NEAR(row.top[1].logprob, std::log(0.3), 1e-6);
  EXPECT_TRUE(logprobs(logits, 1, 0).top.empty());
}

TEST(Logprobs, large_logits_do_not_overflow_and_banned_ones_are_minus_infinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> logits{3e38f, -kInfinity, std::nanf(""), -3e38f};
  const LogprobRow row = logprobs(logits, 1, 4);
  EXPECT_EQ(row.chosen, -kInfinity);
  ASSERT_EQ(row.top.size(), 2u);
  EXPECT_EQ(row.top[0].logprob, 0.0f);
  EXPECT_EQ(logprobs(std::vector<float>{std::nanf("")}, 0, 1).chosen, -kInfinity);
}

}  // namespace
}  // namespace strata::inference
