#include "api/http/side_work.h"

#include <atomic>
#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::api {
namespace {

TEST(SideWork, RunsInOrderRefusesWhatIsTooManyAndDropsTheRest) {
  SideWork side("jobs", 1, 2);
  std::promise<void> gate, reached;
  std::vector<int> ran;  // by the one thread
  side.run([&] {
    reached.set_value();
    gate.get_future().wait();
    ran.push_back(1);
  });
  reached.get_future().wait();
  std::promise<void> second;
  side.run([&] {
    ran.push_back(2);
    second.set_value();
  });
  side.run([&] { ran.push_back(3); });
  try {
    side.run([] {});
    ADD_FAILURE() << "a third waiting job was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_EQ(error.message(), "2 jobs wait already");
  }
  gate.set_value();
  second.get_future().wait();
  std::promise<void> third;
  side.run([&] { third.set_value(); });
  third.get_future().wait();
  side.stop();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  EXPECT_THROW(side.run([] {}), Error);
}

TEST(SideWork, StoppingWaitsForWhatRunsAndDropsWhatWaits) {
  const auto owned = std::make_shared<int>(0);
  std::atomic<bool> ended = false, dropped_ran = false;
  std::promise<void> gate, reached;
  SideWork side("jobs", 1, 8);
  side.run([&] {
    reached.set_value();
    gate.get_future().wait();
    ended = true;
  });
  reached.get_future().wait();
  side.run([&, owned] { dropped_ran = true; });
  auto stopping = std::async(std::launch::async, [&] { side.stop(); });
  const auto refused = [&] {
    try {
      side.run([] {});
      return false;
    } catch (const Error& error) {
      return error.message() == "the server is stopping";
    }
  };
  while (!refused()) std::this_thread::yield();
  gate.set_value();
  stopping.wait();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(dropped_ran);
  EXPECT_EQ(owned.use_count(), 1) << "a dropped job kept what it owned";
}

}  // namespace
}  // namespace strata::api
