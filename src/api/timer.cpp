#include "api/timer.h"

#include <chrono>

#include "core/log.h"

namespace strata::api {

Timer::Timer(const char* what, int64_t pause_ms, std::function<void()> work)
    : what_(what), pause_ms_(pause_ms), work_(std::move(work)), thread_([this] { run(); }) {}

Timer::~Timer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void Timer::run() {
  std::unique_lock lock(mutex_);
  do {
    lock.unlock();
    try {
      work_();
    } catch (const std::exception& error) {
      log_warn("{} failed: {}", what_, error.what());
    }
    lock.lock();
    stopped_.wait_for(lock, std::chrono::milliseconds(pause_ms_), [this] { return stopping_; });
  } while (!stopping_);
}

}  // namespace strata::api
