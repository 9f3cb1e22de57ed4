#include "inference/prediction.h"

#include <numeric>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

using Tokens = std::vector<int32_t>;

// Goes on with the answer; what is guessed in the end.
Tokens guess_behind(Prediction& prediction, const Tokens& answer, int32_t most = 4) {
  for (const int32_t token : answer) prediction.push(token);
  const auto guessed = prediction.next(most);
  return {guessed.begin(), guessed.end()};
}

TEST(Prediction, IsFollowedFromItsBeginning) {
  Prediction prediction({1, 2, 3, 4, 5});
  EXPECT_EQ(guess_behind(prediction, {}), (Tokens{1, 2, 3, 4}));
  EXPECT_EQ(guess_behind(prediction, {1, 2}), (Tokens{3, 4, 5}));
  EXPECT_EQ(prediction.n_met(), 2);
  EXPECT_EQ(guess_behind(prediction, {3, 4, 5}), Tokens{}) << "it is over";
  EXPECT_EQ(prediction.n_met(), 5);
}

TEST(Prediction, IsTakenUpAgainBehindWhatIsNew) {
  Prediction prediction({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(guess_behind(prediction, {1, 2, 77, 78}), Tokens{});
  EXPECT_EQ(guess_behind(prediction, {4, 5}), Tokens{}) << "two are too few";
  EXPECT_EQ(prediction.n_met(), 2);
}

TEST(Prediction, CountsEachOfItsTokensOnce) {
  Prediction prediction({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(guess_behind(prediction, {1, 2, 77, 4, 5, 6}), (Tokens{7, 8}));
  EXPECT_EQ(prediction.n_met(), 5) << "all but the third and the last two";
  Prediction twice({1, 2, 3, 4, 5});
  guess_behind(twice, {1, 2, 3, 4, 9, 1, 2, 3, 4});
  EXPECT_EQ(twice.n_met(), 4);
  Prediction ended({1, 2, 3, 4, 5});
  guess_behind(ended, {1, 9, 3, 4, 5});
  EXPECT_EQ(ended.n_met(), 4) << "the end counts where nothing is left to guess";
}

TEST(Prediction, TheNearestPlaceIsTaken) {
  const Tokens expected{1, 2, 3, 10, 1, 2, 3, 20, 1, 2, 3, 30, 1, 2, 3, 40};
  Prediction first(expected);
  EXPECT_EQ(guess_behind(first, {99, 1, 2, 3}, 1), Tokens{10});
  Prediction third(expected);
  EXPECT_EQ(guess_behind(third, {1, 2, 3, 10, 1, 2, 3, 20, 99, 1, 2, 3}, 1), Tokens{30});
}

TEST(Prediction, WhatMisledAsksForLongerMatches) {
  Prediction prediction({1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(guess_behind(prediction, {50, 1, 2, 3}, 1), Tokens{4});
  EXPECT_EQ(guess_behind(prediction, {50, 1, 2, 3}, 1), Tokens{}) << "three misled";
  EXPECT_EQ(guess_behind(prediction, {50, 1, 2, 3, 4, 5, 6}, 1), Tokens{7});
}

TEST(Prediction, LongOnesOfOneTokenAreFoundInQuickly) {
  Prediction prediction(Tokens(100'000, 7));
  for (int32_t i = 0; i < 200'000; ++i) {
    const bool elsewhere = i >= 50'000 && i < 60'000;
    prediction.push(elsewhere ? 1 + i % 2 : 7);
  }
  EXPECT_EQ(prediction.n_met(), prediction.size());
}

TEST(Prediction, MayBeEmpty) {
  Prediction prediction({});
  EXPECT_EQ(guess_behind(prediction, {1, 2, 3, 4}), Tokens{});
  EXPECT_EQ(prediction.n_met(), 0);
}

}  // namespace
}  // namespace strata::inference
