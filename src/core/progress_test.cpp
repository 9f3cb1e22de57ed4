#include "core/progress.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Progress, sizes_and_times_read_as_people_write_them) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(format_bytes(999'999), "1.0 MB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "18446.7 PB");
  EXPECT_EQ(format_duration(800), "0.8s");
  EXPECT_EQ(format_duration(42'000), "42s");
  EXPECT_EQ(format_duration(200'000), "3m20s");
  EXPECT_EQ(format_duration(7'500'000), "2h05m");
}

Progress at_forty_percent() {
  Progress progress("model", 100'000'000);
  progress.update(0, 0);
  progress.update(20'000'000, 1000);
  progress.update(40'000'000, 2000);
  return progress;
}

TEST(Progress, rate_and_remaining_time) {
  const Progress progress = at_forty_percent();
  EXPECT_EQ(progress.percent(), 40);
  EXPECT_DOUBLE_EQ(progress.rate_per_second().value(), 20e6);
  EXPECT_EQ(progress.remaining_ms().value(), 3000u);
}

TEST(Progress, the_rate_forgets_a_slow_beginning) {
  Progress progress("x", 1'000'000);
  for (uint64_t second = 0; second <= 60; ++second) progress.update(second, second * 1000);
  for (uint64_t second = 1; second <= 10; ++second) {
    progress.update(60 + second * 1000, (60 + second) * 1000);
  }
  EXPECT_NEAR(progress.rate_per_second().value(), 1000, 1);
}

TEST(Progress, a_line_fits_any_width) {
  const Progress progress = at_forty_percent();
  EXPECT_EQ(progress.line(1000, Progress::Bar::ascii).find("model   40% [############"), 0u);
  EXPECT_EQ(progress.line(50, Progress::Bar::ascii),
            "model   40%  40.0 MB/100.0 MB  20.0 MB/s  3.0s");
  EXPECT_EQ(progress.line(200, Progress::Bar::none).find('['), std::string::npos);
  for (int columns = 1; columns < 120; ++columns) {
    EXPECT_LE(progress.line(columns, Progress::Bar::ascii).size(), static_cast<size_t>(columns))
        << columns;
  }
}

TEST(Progress, without_a_total_there_is_no_percentage) {
  Progress progress("x");
  progress.update(1'500'000, 0);
  EXPECT_EQ(progress.line(80, Progress::Bar::ascii), "x  1.5 MB");
  EXPECT_FALSE(progress.remaining_ms());
}

TEST(Progress, going_back_begins_anew) {
  Progress progress("x", 100);
  progress.update(50, 1000);
  progress.update(10, 2000);
  EXPECT_FALSE(progress.rate_per_second());
  progress.update(20, 3000);
  EXPECT_DOUBLE_EQ(progress.rate_per_second().value(), 10);
}

TEST(Progress, a_pipe_gets_a_line_each_ten_percent) {
  ::testing::internal::CaptureStderr();
  {
    ProgressPrinter printer(ProgressPrinter::Style::lines);
    for (uint64_t done = 0; done <= 1000; ++done) printer.show("x", done, 1000);
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, quiet_prints_nothing) {
  ::testing::internal::CaptureStderr();
  {
    ProgressPrinter printer(ProgressPrinter::Style::quiet);
    printer.show("x", 1, 2);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, CountsItemsInTheirUnit) {
  Progress progress("reading", 2000, "tokens");
  progress.update(0, 0);
  progress.update(500, 1000);
  EXPECT_EQ(progress.line(80, Progress::Bar::none), "reading   25%  500/2000 tokens  500/s  3.0s");
}

}  // namespace
}  // namespace strata
