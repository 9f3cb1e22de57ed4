// What computations did, counted where they did it. Each thread counts for itself with plain
// additions, so counting costs nothing; whoever runs a team adds its threads up.
#pragma once

#include <cstdint>

namespace strata {

struct Work {
  int64_t weight_bytes = 0;  // packed weights read
  int64_t kv_bytes = 0;      // keys and values read
  int64_t kernel_calls = 0;  // matrix and attention kernels
  int64_t barriers = 0;      // passed by this thread

  Work& operator+=(const Work& other) {
    weight_bytes += other.weight_bytes;
    kv_bytes += other.kv_bytes;
    kernel_calls += other.kernel_calls;
    barriers += other.barriers;
    return *this;
  }
};

// Of the calling thread.
inline Work& thread_work() {
  static constinit thread_local Work work;
  return work;
}

}  // namespace strata
