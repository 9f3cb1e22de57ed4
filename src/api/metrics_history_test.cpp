#include "api/metrics_history.h"

#include <gtest/gtest.h>

namespace strata::api {
namespace {

using Reading = MetricsHistory::Reading;

TEST(MetricsHistory, TellsWhatHappenedBetweenTwoReadings) {
  MetricsHistory history;
  history.add(1000, Reading{{{"a", 100}}, 7, 1, 2, 50});
  history.add(6000, Reading{{{"a", 150}, {"b", 25}}, 9, 0, 0, 60});
  history.add(11'000, Reading{{{"a", 10}}, 9, 0, 0, 40});  // a was loaded anew, b unloaded
  history.add(11'000, Reading{{}, 9, 0, 0, 40});           // a clock that stands still
  const auto points = history.points();
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[0].tokens_per_second, 0.0);  // what was before is not of this hour
  EXPECT_EQ(points[0].requests, 0u);
  EXPECT_EQ(points[0].waiting, 2);
  EXPECT_EQ(points[1].tokens_per_second, 15.0);  // 50 and 25 in five seconds
  EXPECT_EQ(points[1].requests, 2u);
  EXPECT_EQ(points[1].memory_bytes, 60u);
  EXPECT_EQ(points[2].tokens_per_second, 2.0);
  EXPECT_EQ(points[3].tokens_per_second, 0.0);
}

TEST(MetricsHistory, IsARing) {
  MetricsHistory history;
  for (size_t i = 0; i < kHistoryPoints + 10; ++i) {
    history.add(static_cast<int64_t>(i), Reading{{}, i, 0, 0, 0});
  }
  const auto points = history.points();
  ASSERT_EQ(points.size(), kHistoryPoints);
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].time_ms, static_cast<int64_t>(i + 10));
    EXPECT_EQ(points[i].requests, 1u);
  }
}

}  // namespace
}  // namespace strata::api
