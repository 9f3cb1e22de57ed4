#include "api/http/side_work.h"

#include "core/error.h"

namespace strata::api {

SideWork::SideWork(std::string what, size_t n_threads, size_t max_waiting)
    : what_(std::move(what)), max_waiting_(max_waiting) {
  for (size_t i = 0; i < n_threads; ++i) threads_.emplace_back([this] { work(); });
}

void SideWork::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Error(Code::unavailable, "the server is stopping");
    if (waiting_.size() >= max_waiting_) {
      throw Error(Code::unavailable, fmt::format("{} {} wait already", waiting_.size(), what_),
                  "try again in a moment");
    }
    waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void SideWork::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void SideWork::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    auto job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it owns ends outside the lock
    lock.lock();
  }
}

}  // namespace strata::api
