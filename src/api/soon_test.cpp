#include "api/soon.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace strata::api {
namespace {

struct Counted {
  std::mutex mutex;
  std::condition_variable changed;
  int n = 0;

  void count() {
    const std::lock_guard lock(mutex);
    ++n;
    changed.notify_all();
  }
  void wait_for(int wanted) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return n >= wanted; });
  }
};

TEST(Soon, EveryAskIsFollowedByTheWorkAlsoAfterAFailure) {
  Counted counted;
  Soon soon("counting", std::chrono::milliseconds(1), [&] {
    counted.count();
    throw std::runtime_error("one that fails does not end the others");
  });
  for (int i = 1; i <= 3; ++i) {
    soon.ask();
    counted.wait_for(i);
  }
}

TEST(Soon, WhoAsksMeanwhileIsServedByTheSameWork) {
  Counted counted;
  Soon soon("counting", std::chrono::milliseconds(200), [&] { counted.count(); });
  for (int i = 0; i < 1000; ++i) soon.ask();
  counted.wait_for(1);
  const std::lock_guard lock(counted.mutex);
  EXPECT_LT(counted.n, 10);
}

TEST(Soon, WhatWasOnlyAskedForIsLeftWhenItGoes) {
  Counted counted;
  {
    Soon soon("counting", std::chrono::hours(1), [&] { counted.count(); });
    soon.ask();
  }
  EXPECT_EQ(counted.n, 0);
}

}  // namespace
}  // namespace strata::api
