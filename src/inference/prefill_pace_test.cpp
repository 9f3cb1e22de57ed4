#include "inference/prefill_pace.h"

#include <gtest/gtest.h>

namespace strata::inference {
namespace {

// Steps with one row that generates take 1 ms, a prompt's row takes 0.1 ms.
PrefillPace learned() {
  PrefillPace pace(256);
  for (int i = 0; i < 20; ++i) pace.took(1, 0, 1'000'000);
  for (int i = 0; i < 20; ++i) pace.took(1, 10, 2'000'000);
  return pace;
}

TEST(PrefillPace, RowsFillTheTimeThatIsLeft) {
  const int32_t rows = learned().rows_beside(1);
  EXPECT_GE(rows, 20);
  EXPECT_LE(rows, 26);
  EXPECT_EQ(learned().rows_beside(0), 256);
}

TEST(PrefillPace, OneStepThatTheSystemHeldUpChangesNothing) {
  const int32_t rows = learned().rows_beside(1);
  PrefillPace pace = learned();
  pace.took(1, 0, 50'000'000);
  EXPECT_EQ(pace.rows_beside(1), rows);
  pace = learned();
  pace.took(1, 10, 50'000'000);
  EXPECT_EQ(pace.rows_beside(1), rows);
}

TEST(PrefillPace, WhatStaysSlowIsLearned) {
  PrefillPace pace = learned();
  for (int i = 0; i < 12; ++i) pace.took(1, 10, 11'000'000);
  EXPECT_LE(pace.rows_beside(1), 4);
}

}  // namespace
}  // namespace strata::inference
