#include "inference/guess_reach.h"

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

TEST(GuessReach, GoesAsFarAsTheLastGuessesWereRight) {
  GuessReach reach;
  EXPECT_EQ(reach.of(5), 5);
  reach.verified(5, 2);
  EXPECT_EQ(reach.of(5), 2);
  reach.verified(2, 2);
  EXPECT_EQ(reach.of(5), 4);
  EXPECT_EQ(reach.of(1), 1);
}

TEST(GuessReach, WhatIsAlwaysWrongSoonCostsNothing) {
  GuessReach reach;
  int n_verified = 0;
  for (int i = 0; i < 1000; ++i) {
    const int32_t n = reach.of(5);
    if (n == 0) continue;
    n_verified += n;
    reach.verified(n, 0);
  }
  EXPECT_LE(n_verified, 75);
}

TEST(GuessReach, WhatIsRightAgainIsSoonGuessedWhole) {
  GuessReach reach;
  for (int i = 0; i < 1000; ++i) {
    if (const int32_t n = reach.of(5); n > 0) reach.verified(n, 0);
  }
  int n_steps = 0;
  for (int32_t n = 0; n < 5; ++n_steps) {
    n = reach.of(5);
    if (n > 0) reach.verified(n, n);
  }
  EXPECT_LE(n_steps, 40);
}

}  // namespace
}  // namespace strata::inference
