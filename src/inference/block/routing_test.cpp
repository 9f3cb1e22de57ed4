#include "inference/block/routing.h"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

struct Choice {
  std::vector<int32_t> experts;
  std::vector<float> weights;
};

Choice choose(const Routing& routing, const std::vector<float>& logits) {
  Choice choice{std::vector<int32_t>(static_cast<size_t>(routing.n_used)),
                std::vector<float>(static_cast<size_t>(routing.n_used))};
  choose_experts(routing, logits, choice.experts, choice.weights);
  return choice;
}

Routing using_experts(int32_t n) {
  return {.n_used = n};
}

TEST(Routing, TakesTheGreatestAndListsThemByIndex) {
  const Choice choice = choose(using_experts(3), {0.5f, 3.0f, -1.0f, 2.0f, 2.5f});
  EXPECT_EQ(choice.experts, (std::vector<int32_t>{1, 3, 4}));
  EXPECT_GT(choice.weights[0], choice.weights[2]);
  EXPECT_GT(choice.weights[2], choice.weights[1]);
}

TEST(Routing, OfEqualsTheFirstIsTaken) {
  EXPECT_EQ(choose(using_experts(2), {1, 1, 1, 1}).experts, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(choose(using_experts(2), {0, 1, 2, 1}).experts, (std::vector<int32_t>{1, 2}));
}

TEST(Routing, WeightsAreSharesOfAllOrOfTheChosen) {
  Routing routing = using_experts(2);
  const std::vector<float> logits{0.0f, std::log(2.0f), std::log(5.0f)};
  EXPECT_NEAR(choose(routing, logits).weights[0], 2.0f / 8, 1e-6);
  routing.renormalized = true;
  routing.scale = 3.0f;
  EXPECT_NEAR(choose(routing, logits).weights[0], 3 * 2.0f / 7, 1e-6);
  EXPECT_NEAR(choose(routing, logits).weights[1], 3 * 5.0f / 7, 1e-6);
}

// Three groups of two; sigmoid(0) is 1/2, of the others near 0 or 1.
TEST(Routing, GroupsAreRankedByTheirBest) {
  Routing routing = using_experts(2);
  routing.gating = models::Gating::sigmoid;
  routing.n_groups = 3;
  routing.n_groups_used = 1;
  const std::vector<float> logits{9, -9, 0.5f, 0.4f, 0, -9};
  EXPECT_EQ(choose(routing, logits).experts, (std::vector<int32_t>{0, 1}));
  routing.group_best = 2;
  EXPECT_EQ(choose(routing, logits).experts, (std::vector<int32_t>{2, 3}));
  routing.n_groups_used = 2;
  EXPECT_EQ(choose(routing, logits).experts, (std::vector<int32_t>{0, 2}));
  const std::vector<float> equal(6, 1.0f);
  EXPECT_EQ(choose(routing, equal).experts, (std::vector<int32_t>{0, 1}));
}

TEST(Routing, TheBiasOfTheChoiceWeighsNothing) {
  Routing routing = using_experts(1);
  routing.gating = models::Gating::sigmoid;
  routing.choice_bias = {0, 0, 0.6f};
  const Choice choice = choose(routing, {0, 1, -1});
  EXPECT_EQ(choice.experts, (std::vector<int32_t>{2}));
  EXPECT_NEAR(choice.weights[0], 1 / (1 + std::exp(1.0f)), 1e-6);
  routing.renormalized = true;
  EXPECT_NEAR(choose(routing, {0, 1, -1}).weights[0], 1.0f, 1e-6);
  EXPECT_EQ(choose(routing, {-200, -200, -200}).weights[0], 0.0f) << "nor divides by zero";
}

TEST(Routing, NumbersThatAreNoneStillNameDifferentExperts) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto& logits : std::vector<std::vector<float>>{{nan, nan, nan, nan},
                                                            {1, nan, 2, nan},
                                                            {nan, 3, 2, 1},
                                                            {infinity, infinity, -infinity, nan}}) {
    for (const auto gating : {models::Gating::softmax, models::Gating::sigmoid}) {
      Routing routing = using_experts(2);
      routing.gating = gating;
      routing.n_groups = routing.group_best = 2;
      routing.n_groups_used = 1;
      const auto grouped = choose(routing, logits).experts;
      EXPECT_TRUE(grouped[0] >= 0 && grouped[0] < grouped[1] && grouped[1] < 4);
    }
    const Choice choice = choose(using_experts(3), logits);
    EXPECT_EQ(std::set<int32_t>(choice.experts.begin(), choice.experts.end()).size(), 3u);
    for (const int32_t expert : choice.experts) EXPECT_TRUE(expert >= 0 && expert < 4);
  }
}

}  // namespace
}  // namespace strata::inference
