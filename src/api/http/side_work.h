// Threads beside the one that speaks HTTP, for handlers that read files, wait for locks or encode
// long prompts: meanwhile the server answers everybody else.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace strata::api {

class SideWork {
 public:
  // `what` names the waiting jobs in the refusal: "changes of the store".
  SideWork(std::string what, size_t n_threads, size_t max_waiting);
  ~SideWork() { stop(); }
  SideWork(const SideWork&) = delete;
  SideWork& operator=(const SideWork&) = delete;

  // In the order of the calls, on one of the threads. A job throws nothing.
  // Error{unavailable} when max_waiting jobs wait, or after stop().
  void run(std::function<void()> job);
  // Drops what waits and waits for what runs.
  void stop();

 private:
  void work();

  const std::string what_;
  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strata::api
