#include "core/threads.h"

#include <chrono>

#include "core/error.h"
#include "core/work.h"

namespace strata {
namespace {

// Long enough to bridge sampling and the scheduler between two steps, short enough to leave the
// core to others when nothing is asked.
constexpr int kSpins = 1024;
constexpr auto kSpinTime = std::chrono::microseconds(1000);

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until the value is another than `old`: spins for some 20 us, then gives the core to whoever
// is ready (a thread of the team may be waiting for it), then sleeps in the kernel.
void wait_for_change(const std::atomic<uint32_t>& word, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    pause_briefly();
  }
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  while (std::chrono::steady_clock::now() < deadline) {
    for (int i = 0; i < 8; ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      std::this_thread::yield();
    }
  }
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(int n_threads) : n_threads_(n_threads) {
  if (n_threads < 1 || n_threads > kMaxTeam) {
    throw Error(Code::invalid_argument,
                fmt::format("{} threads; from 1 to {} are possible", n_threads, kMaxTeam));
  }
  workers_.reserve(static_cast<size_t>(n_threads - 1));
  for (int i = 1; i < n_threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

Team::~Team() {
  stop_ = true;
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Team::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    wait_for_change(started_, seen);
    ++seen;
    if (stop_) return;
    fn_(context_, thread);
    if (finished_.fetch_add(1, std::memory_order_acq_rel) + 2 ==
        static_cast<uint32_t>(n_threads_)) {
      finished_.notify_one();
    }
  }
}

void Team::run(Function fn, void* context) {
  if (n_threads_ == 1) {
    fn(context, 0);
    return;
  }
  fn_ = fn;
  context_ = context;
  finished_.store(0, std::memory_order_relaxed);
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  fn(context, 0);
  const auto all = static_cast<uint32_t>(n_threads_ - 1);
  for (uint32_t n = finished_.load(std::memory_order_acquire); n != all;
       n = finished_.load(std::memory_order_acquire)) {
    wait_for_change(finished_, n);
  }
}

void Team::barrier() {
  ++thread_work().barriers;
  if (n_threads_ == 1) return;
  const uint32_t generation = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<uint32_t>(n_threads_)) {
    arrived_.store(0, std::memory_order_relaxed);
    passed_.fetch_add(1, std::memory_order_release);
    passed_.notify_all();
  } else {
    wait_for_change(passed_, generation);
  }
}

}  // namespace strata
