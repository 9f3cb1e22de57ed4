#include "app/cli/output.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::app {
namespace {

TEST(Output, DurationsAsOllamaWritesThem) {
  EXPECT_EQ(parse_duration_ms("5m"), 300'000);
  EXPECT_EQ(parse_duration_ms("1h30m"), 5'400'000);
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("90"), 90'000);
  EXPECT_EQ(parse_duration_ms("1.5s"), 1500);
  EXPECT_EQ(parse_duration_ms("-1"), -1);
  for (const char* bad : {"", "m", "5x", "-5m", "nan", "1e30h", "5m-"}) {
    EXPECT_THROW(parse_duration_ms(bad), Error) << bad;
  }
}

TEST(Output, CountsAndAgesForPeople) {
  EXPECT_EQ(human_count(134'515'008), "134.5M");
  EXPECT_EQ(human_age(3 * 604800), "3 weeks ago");
  EXPECT_EQ(human_age(-240), "in 4 minutes");
  EXPECT_EQ(human_age(5), "just now");
}

}  // namespace
}  // namespace strata::app
