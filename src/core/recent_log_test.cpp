#include "core/recent_log.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

class RecentLog : public ::testing::Test {
 protected:
  RecentLog() { set_log_level(LogLevel::off); }
  ~RecentLog() override {
    keep_recent_log(LogLevel::off);
    set_log_level(LogLevel::warn);
  }
};

TEST_F(RecentLog, KeepsTheLastLinesWhateverStderrGets) {
  log_info("before");
  keep_recent_log(LogLevel::info);
  log_debug("too little");
  for (size_t i = 0; i < kRecentLogLines + 5; ++i) log_info("line {} sk-strata-ABCDEFGH", i);
  log_error("a\nb {}", std::string(5000, 'x'));
  const auto all = recent_log(kRecentLogLines * 2);
  ASSERT_EQ(all.size(), kRecentLogLines);
  EXPECT_EQ(all.front().text, "line 6 sk-…");
  EXPECT_EQ(all.front().level, LogLevel::info);
  EXPECT_EQ(all.back().level, LogLevel::error);
  EXPECT_TRUE(all.back().text.starts_with("a b xxx"));
  EXPECT_LE(all.back().text.size(), kRecentLogLineBytes + 4);
  EXPECT_EQ(all.back().time.size(), 24u);
  EXPECT_EQ(recent_log(2).size(), 2u);
  EXPECT_EQ(recent_log(2).back().text, all.back().text);
  keep_recent_log(LogLevel::off);
  EXPECT_TRUE(recent_log(10).empty());
}

}  // namespace
}  // namespace strata
