#include "api/soon.h"

#include "core/log.h"

namespace strata::api {

Soon::Soon(const char* what, std::chrono::milliseconds moment, std::function<void()> work)
    : what_(what), moment_(moment), work_(std::move(work)), thread_([this] { run(); }) {}

Soon::~Soon() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Soon::ask() {
  {
    const std::lock_guard lock(mutex_);
    if (asked_) return;
    asked_ = true;
  }
  changed_.notify_all();
}

void Soon::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return asked_ || stopping_; });
    if (changed_.wait_for(lock, moment_, [this] { return stopping_; })) return;
    asked_ = false;
    lock.unlock();
    try {
      work_();
    } catch (const std::exception& error) {
      log_warn("{} failed: {}", what_, error.what());
    }
    lock.lock();
  }
}

}  // namespace strata::api
