#include "inference/draft.h"

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

using Tokens = std::vector<int32_t>;

Tokens guess(Drafter& drafter, const Tokens& tokens, int32_t most) {
  const auto found = drafter.guess(tokens, most);
  return {found.begin(), found.end()};
}

TEST(Drafter, GuessesWhatFollowedBefore) {
  Drafter drafter;
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4}, 8), Tokens{});
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 6, 7, 1, 2, 3}, 8), Tokens{}) << "three are too few";
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4}, 8), (Tokens{5, 6, 7, 1}))
      << "as many as match";
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4}, 2), (Tokens{5, 6}));
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4}, 0), Tokens{});
}

TEST(Drafter, TheLatestOccurrenceCounts) {
  Drafter drafter;
  EXPECT_EQ(guess(drafter, {1, 2, 3, 4, 8, 8, 1, 2, 3, 4, 9, 9, 1, 2, 3, 4}, 1), Tokens{9});
}

TEST(Drafter, AShortPeriodGoesOn) {
  Drafter drafter;
  EXPECT_EQ(guess(drafter, {5, 5, 5, 5, 5, 5}, 3), (Tokens{5, 5, 5}));
  Drafter other;
  EXPECT_EQ(guess(other, {1, 2, 1, 2, 1, 2, 1, 2}, 5), (Tokens{1, 2, 1, 2, 1}));
}

TEST(Drafter, WrongGuessesAskForLongerMatchesAndRightOnesForShorterOnes) {
  Drafter drafter;
  const Tokens short_match{1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4};
  drafter.verified(4, 0);
  EXPECT_EQ(guess(drafter, short_match, 8), Tokens{});
  drafter.verified(0, 0);  // no guess, no lesson
  EXPECT_EQ(guess(drafter, short_match, 8), Tokens{});
  drafter.verified(8, 8);
  EXPECT_EQ(guess(drafter, short_match, 8).size(), 4u);
}

}  // namespace
}  // namespace strata::inference
