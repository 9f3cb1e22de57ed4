#include "core/random.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Random, HasTheLengthAskedForAndIsNeverTheSame) {
  EXPECT_EQ(random_bytes(0).size(), 0u);
  EXPECT_EQ(random_bytes(33).size(), 33u);
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace strata
