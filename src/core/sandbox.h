// A cage for a process that reads what others made: little memory and time, no network, no other
// process, no file. A process enters it itself and cannot leave. Linux: seccomp(2), landlock(7),
// setrlimit(2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace strata {

struct SandboxLimits {
  uint64_t memory_bytes = 0;  // of address space; 0: as before
  uint64_t cpu_seconds = 0;   // then the process is killed; 0: as before
  uint64_t open_files = 16;
};

// From here on this process, which has one thread, reads and writes what it has open and takes
// memory within the limits; other system calls fail as if the kernel did not know them. Descriptors
// above 2 are closed, but for `keep`. Error{failed_precondition} where the kernel refuses a wall.
void enter_sandbox(const SandboxLimits& limits, int keep = -1);

// The same for another program, which takes this process's place: words[0] is its path. It may read
// the system's programs, libraries and data below /usr and /lib, and nothing else. Returns never.
// Error{failed_precondition} where the kernel has no Landlock, or the program is not there.
[[noreturn]] void exec_in_sandbox(const std::vector<std::string>& words,
                                  const SandboxLimits& limits);

}  // namespace strata
