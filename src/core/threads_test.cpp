// The team runs every thread once a run, its barrier orders what threads write.
#include "core/threads.h"

#include <atomic>
#include <vector>

#include <gtest/gtest.h>

#include "core/cpu.h"
#include "core/error.h"

namespace strata {
namespace {

TEST(Team, RunsEveryThreadOnceEachTime) {
  for (const int n : {1, 2, 3, 7}) {
    Team team(n);
    std::vector<int> runs(static_cast<size_t>(n), 0);
    for (int i = 0; i < 2000; ++i) {
      team.run([&](int thread) { ++runs[static_cast<size_t>(thread)]; });
    }
    for (const int count : runs) EXPECT_EQ(count, 2000);
  }
}

TEST(Team, BarrierShowsWhatOthersWrote) {
  for (const int n : {1, 2, 4}) {
    Team team(n);
    std::vector<int> values(static_cast<size_t>(n), 0);
    std::atomic<int> wrong{0};
    team.run([&](int thread) {
      for (int step = 1; step <= 500; ++step) {
        values[static_cast<size_t>(thread)] = step;
        team.barrier();
        for (const int value : values) wrong += value != step;
        team.barrier();
      }
    });
    EXPECT_EQ(wrong, 0);
  }
}

TEST(Team, RefusesCountsOutOfRange) {
  EXPECT_THROW(Team(0), Error);
  EXPECT_THROW(Team(kMaxTeam + 1), Error);
}

TEST(Team, SharesCoverEverythingOnceInOrder) {
  for (const int64_t n : {0, 1, 5, 100}) {
    for (const int threads : {1, 2, 3, 8}) {
      int64_t next = 0;
      for (int t = 0; t < threads; ++t) {
        const Share share = share_of(n, t, threads);
        EXPECT_EQ(share.begin, next);
        EXPECT_LE(share.end - share.begin, n / threads + 1);
        next = share.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

TEST(Cpu, NamesAtLeastOneUsableCore) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_FALSE(cpu_feature_names().empty());
}

}  // namespace
}  // namespace strata
