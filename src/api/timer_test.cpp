#include "api/timer.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace strata::api {
namespace {

TEST(Timer, CallsAgainAlsoAfterAFailureUntilItGoes) {
  std::mutex mutex;
  std::condition_variable changed;
  int n = 0;
  {
    const Timer timer("counting", 1, [&] {
      const std::lock_guard lock(mutex);
      ++n;
      changed.notify_all();
      throw std::runtime_error("one that fails does not end the others");
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return n >= 3; });
  }
  EXPECT_GE(n, 3);
}

TEST(Timer, CallsOnceHoweverSoonItGoes) {
  int n = 0;
  {
    const Timer timer("counting", 3'600'000, [&] { ++n; });
  }
  EXPECT_EQ(n, 1);
}

}  // namespace
}  // namespace strata::api
