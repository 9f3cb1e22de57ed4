#include "inference/mask_guesses.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

std::vector<int32_t> tokens_of(const std::vector<Guess>& guesses) {
  std::vector<int32_t> tokens;
  for (const Guess& guess : guesses) tokens.push_back(guess.token);
  return tokens;
}

using Tokens = std::vector<int32_t>;
const std::vector<float> kLogits{0.0f, std::log(4.0f), 0.0f, std::log(2.0f)};

TEST(MaskGuesses, TheLikeliestStandFirstAndEqualsById) {
  const auto guesses = guess_token(kLogits, {.n = 3});
  EXPECT_EQ(tokens_of(guesses), (Tokens{1, 3, 0}));
  EXPECT_NEAR(guesses[0].probability, 0.5, 1e-6);
  EXPECT_NEAR(guesses[1].probability, 0.25, 1e-6);
  EXPECT_EQ(guess_token(kLogits, {.n = 9}).size(), 4u);
}

TEST(MaskGuesses, TargetsKeepTheirShareOfAllTokens) {
  const auto guesses = guess_token(kLogits, {.n = 5, .targets = {2, 3}});
  EXPECT_EQ(tokens_of(guesses), (Tokens{3, 2}));
  EXPECT_NEAR(guesses[1].probability, 0.125, 1e-6);
  EXPECT_EQ(tokens_of(guess_token(kLogits, {.n = 1, .targets = {0, 1}})), Tokens{1});
}

TEST(MaskGuesses, WhatIsNoNumberIsNoGuess) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits{nan, 1.0f, nan};
  EXPECT_EQ(tokens_of(guess_token(logits, {})), Tokens{1});
  EXPECT_EQ(tokens_of(guess_token(logits, {.n = 5, .targets = {0, 1}})), Tokens{1});
}

}  // namespace
}  // namespace strata::inference
