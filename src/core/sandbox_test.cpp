// What a caged process can still do. Each case is a child that ends with 0 where it is as it
// should.
#include "core/sandbox.h"

#include <array>
#include <cerrno>
#include <functional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/os.h"

namespace strata {
namespace {

// The wait status of a child that runs this in the sandbox: true ends it with 0.
int in_sandbox(const std::function<bool()>& work, const SandboxLimits& limits = {}) {
  const pid_t child = ::fork();
  if (child == 0) {
    enter_sandbox(limits);
    ::_exit(work() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

bool unknown(long result) {
  return result < 0 && errno == ENOSYS;
}

TEST(Sandbox, NoFileIsOpenedOrMade) {
  EXPECT_EQ(in_sandbox([] {
              return unknown(::open("/etc/passwd", O_RDONLY)) &&
                     unknown(::open("/tmp/strata-sandbox", O_WRONLY | O_CREAT, 0600)) &&
                     unknown(::unlink("/tmp/strata-sandbox")) && unknown(::chdir("/"));
            }),
            0);
}

TEST(Sandbox, NoConnectionAndNoOtherProcess) {
  const pid_t parent = ::getpid();
  EXPECT_EQ(in_sandbox([parent] {
              return unknown(::socket(AF_INET, SOCK_STREAM, 0)) &&
                     unknown(::socket(AF_UNIX, SOCK_STREAM, 0)) && unknown(::kill(parent, 0)) &&
                     unknown(::syscall(SYS_ptrace, 0, 0, 0, 0)) && ::fork() < 0;
            }),
            0);
}

TEST(Sandbox, LimitsAreNotRaisedAgain) {
  EXPECT_EQ(in_sandbox([] {
              const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
              rlimit now{};
              return ::setrlimit(RLIMIT_FSIZE, &more) != 0 &&
                     ::getrlimit(RLIMIT_FSIZE, &now) == 0 && now.rlim_max == 0;
            }),
            0);
}

TEST(Sandbox, WhatIsOpenIsClosedButForThePipesOfItsParent) {
  const File secret = File::in_memory("secret");
  EXPECT_EQ(in_sandbox([&] {
              char byte = 0;
              return ::read(secret.descriptor(), &byte, 1) < 0 && errno == EBADF &&
                     ::write(2, "", 0) == 0;
            }),
            0);
}

TEST(Sandbox, TooMuchTimeEndsIt) {
  const int status = in_sandbox(
      [] {
        volatile bool goes_on = true;
        while (goes_on) {
        }
        return true;
      },
      {.cpu_seconds = 1});
  EXPECT_TRUE(WIFSIGNALED(status));
}

// What a program of the system prints in the sandbox, and its exit code.
ProcessResult exec(const std::vector<std::string>& words) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::close(2);
    try {
      exec_in_sandbox(words, {});
    } catch (...) {
      ::_exit(99);
    }
  }
  ::close(ends[1]);
  ProcessResult result;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 1; got > 0;) {
    got = ::read(ends[0], buffer.data(), buffer.size());
    if (got > 0) result.output.append(buffer.data(), static_cast<size_t>(got));
  }
  ::close(ends[0]);
  int status = -1;
  ::waitpid(child, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

TEST(Sandbox, AnotherProgramRunsInItAndReadsTheSystemsFilesOnly) {
  const auto read = exec({"/usr/bin/head", "-c", "4", "/usr/bin/head"});
  EXPECT_EQ(read.output,
            "\x7f"
            "ELF");
  EXPECT_EQ(read.exit_code, 0);
  for (const char* path : {"/etc/passwd", "/proc/self/environ", "/dev/zero", "/root", "/home"}) {
    const auto refused = exec({"/usr/bin/head", "-c", "4", path});
    EXPECT_EQ(refused.output, "") << path;
    EXPECT_NE(refused.exit_code, 0) << path;
  }
  EXPECT_EQ(exec({"/usr/bin/no-such-program"}).exit_code, 99);
}

}  // namespace
}  // namespace strata
