#include "app/cli/output.h"

#include <gtest/gtest.h>

namespace strata::app {
namespace {

TEST(Output, AgesForPeople) {
  EXPECT_EQ(human_age(3 * 604800), "3 weeks ago");
  EXPECT_EQ(human_age(-240), "in 4 minutes");
  EXPECT_EQ(human_age(5), "just now");
}

}  // namespace
}  // namespace strata::app
