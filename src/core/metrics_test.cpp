#include "core/metrics.h"

#include <array>

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Metrics, WritesCountersWithEscapedLabels) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", {{"route", "a\"b\\c\n"}, {"code", "200"}}).add(3);
  EXPECT_EQ(metrics.text(),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
            "requests_total{route=\"a\\\"b\\\\c\\n\",code=\"200\"} 3\n");
}

TEST(Metrics, HistogramBucketsAreCumulativeAndBoundsInclusive) {
  Metrics metrics;
  auto& histogram = metrics.histogram("wait_seconds", "Wait.", std::array{0.1, 1.0});
  for (const double value : {0.1, 0.5, 7.0}) histogram.observe(value);
  EXPECT_EQ(metrics.text(),
            "# HELP wait_seconds Wait.\n# TYPE wait_seconds histogram\n"
            "wait_seconds_bucket{le=\"0.1\"} 1\nwait_seconds_bucket{le=\"1\"} 2\n"
            "wait_seconds_bucket{le=\"+Inf\"} 3\nwait_seconds_sum 7.6\nwait_seconds_count 3\n");
}

TEST(Metrics, ReadsGaugesWhenAsked) {
  Metrics metrics;
  double value = 1;
  metrics.on_read("queue", "Waiting.", "gauge",
                  [&] { return std::vector<Metrics::Sample>{{{{"model", "m"}}, value}}; });
  value = 2.5;
  EXPECT_NE(metrics.text().find("queue{model=\"m\"} 2.5\n"), std::string::npos);
}

TEST(Metrics, TheSameNameAndLabelsAreOneCounter) {
  Metrics metrics;
  metrics.counter("c", "", {{"a", "1"}}).add();
  metrics.counter("c", "", {{"a", "1"}}).add();
  EXPECT_EQ(metrics.counter("c", "", {{"a", "1"}}).value(), 2u);
  EXPECT_EQ(metrics.counter("c", "", {{"a", "2"}}).value(), 0u);
}

}  // namespace
}  // namespace strata
