// A persistent team of threads that runs one function on all of them at a time.
// Made for steps of microseconds: between two runs the workers spin for about a millisecond and
// only then sleep; inside a run barrier() costs some 50 ns.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace strata {

class Team {
 public:
  // n_threads >= 1 counts the caller: n_threads - 1 workers are started.
  // Error{invalid_argument} outside [1, kMaxTeam].
  explicit Team(int n_threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return n_threads_; }

  // Calls fn(context, thread) for thread = 0 .. size()-1 at once, 0 on the calling thread, and
  // returns when all have returned. Only one thread may call run at a time, not from inside a run.
  // fn must not throw (the program would end).
  using Function = void (*)(void* context, int thread);
  void run(Function fn, void* context);
  template <class F>
  void run(F&& f) {
    run([](void* context,
           int thread) { (*static_cast<std::remove_reference_t<F>*>(context))(thread); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

  // Inside a run: waits until every thread of the team has called it. What a thread wrote before
  // is seen by all after.
  void barrier();

 private:
  void work(int thread);

  const int n_threads_;
  Function fn_ = nullptr;
  void* context_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<uint32_t> started_{0};   // counts runs
  alignas(64) std::atomic<uint32_t> finished_{0};  // workers done with the current run
  alignas(64) std::atomic<uint32_t> arrived_{0};   // threads waiting in the current barrier
  alignas(64) std::atomic<uint32_t> passed_{0};    // counts barriers
  std::vector<std::thread> workers_;
};

constexpr int kMaxTeam = 1024;

// The share of thread `thread` of `n_threads` in n items: contiguous, in order, sizes differ by at
// most one.
struct Share {
  int64_t begin = 0;
  int64_t end = 0;
};
constexpr Share share_of(int64_t n, int thread, int n_threads) {
  return {n * thread / n_threads, n * (thread + 1) / n_threads};
}

}  // namespace strata
