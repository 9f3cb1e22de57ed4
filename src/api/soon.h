// Work that is done a moment after it was first asked for, once for all who ask meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace strata::api {

class Soon {
 public:
  // On a thread of its own. What `work` throws is logged, with `what` it is, and ends nothing.
  Soon(const char* what, std::chrono::milliseconds moment, std::function<void()> work);
  ~Soon();  // waits for what is under way; what was only asked for is left
  Soon(const Soon&) = delete;
  Soon& operator=(const Soon&) = delete;

  void ask();  // from any thread; never waits for the work

 private:
  void run();

  const char* const what_;
  const std::chrono::milliseconds moment_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::api
