// Work that the server does by itself, again and again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace strata::api {

// Calls `work` at once and then `pause_ms` after each call's end, on a thread of its own, until it
// goes; once at least. What `work` throws is logged, with `what` it is, and ends nothing.
class Timer {
 public:
  Timer(const char* what, int64_t pause_ms, std::function<void()> work);
  ~Timer();  // waits for the call that is under way
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  void run();

  const char* const what_;
  const int64_t pause_ms_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::api
