#include "core/sandbox.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"

namespace strata {
namespace {

[[noreturn]] void fail(const char* what, int error) {
  throw Error(Code::failed_precondition,
              fmt::format("the sandbox cannot be entered: {}: {}", what, strerror(error)),
              "it needs a Linux kernel from 5.13 with seccomp and Landlock, and a container that "
              "allows both");
}

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  // __rlimit_resource_t is an enumeration in C++.
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0) fail("setrlimit", errno);
}

void set_limits(const SandboxLimits& limits) {
  if (limits.memory_bytes != 0) limit(RLIMIT_AS, limits.memory_bytes);
  if (limits.cpu_seconds != 0) limit(RLIMIT_CPU, limits.cpu_seconds);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, limits.open_files);
}

void close_range(unsigned first, unsigned last) {
  if (first <= last && ::syscall(SYS_close_range, first, last, 0) != 0) fail("close_range", errno);
}

void close_others(int keep) {
  constexpr unsigned kFirst = 3;
  if (keep < static_cast<int>(kFirst)) return close_range(kFirst, ~0u);
  close_range(kFirst, static_cast<unsigned>(keep) - 1);
  close_range(static_cast<unsigned>(keep) + 1, ~0u);
}

// --- seccomp: a list of what is allowed ---

class Filter {
 public:
  // What is not on the list does not exist: libraries know how to do without.
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {
    if (!context_) fail("seccomp", ENOMEM);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() { seccomp_release(context_); }

  // A call that this processor does not have (numbers below zero) is left out.
  void allow(std::initializer_list<int> calls) {
    for (const int call : calls) add(call, {});
  }
  void allow_where(int call, std::initializer_list<scmp_arg_cmp> arguments) {
    add(call, arguments);
  }
  void load() {
    if (const int error = seccomp_load(context_); error != 0) fail("seccomp", -error);
  }

 private:
  void add(int call, std::initializer_list<scmp_arg_cmp> arguments) {
    if (call == __NR_SCMP_ERROR) return;
    const int error = seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call,
                                             static_cast<unsigned>(arguments.size()),
                                             arguments.size() == 0 ? nullptr : arguments.begin());
    if (error != 0 && error != -EDOM) fail("seccomp", -error);
  }
  scmp_filter_ctx context_;
};

// Descriptors that are open, memory, signals to itself, clocks.
void allow_computing(Filter& filter) {
  filter.allow({SCMP_SYS(read),
                SCMP_SYS(readv),
                SCMP_SYS(pread64),
                SCMP_SYS(write),
                SCMP_SYS(writev),
                SCMP_SYS(lseek),
                SCMP_SYS(close),
                SCMP_SYS(fstat),
                SCMP_SYS(newfstatat),
                SCMP_SYS(mmap),
                SCMP_SYS(munmap),
                SCMP_SYS(mprotect),
                SCMP_SYS(mremap),
                SCMP_SYS(madvise),
                SCMP_SYS(brk),
                SCMP_SYS(futex),
                SCMP_SYS(exit),
                SCMP_SYS(exit_group),
                SCMP_SYS(rt_sigaction),
                SCMP_SYS(rt_sigprocmask),
                SCMP_SYS(rt_sigreturn),
                SCMP_SYS(sigaltstack),
                SCMP_SYS(clock_gettime),
                SCMP_SYS(gettimeofday),
                SCMP_SYS(getrandom),
                SCMP_SYS(getpid),
                SCMP_SYS(gettid),
                SCMP_SYS(sched_yield),
                SCMP_SYS(set_robust_list),
                SCMP_SYS(rseq),
                SCMP_SYS(restart_syscall)});
  const auto self = static_cast<scmp_datum_t>(::getpid());
  filter.allow_where(SCMP_SYS(tgkill), {SCMP_A0(SCMP_CMP_EQ, self, 0)});
  // Limits are read, never set: root could raise them again.
  filter.allow_where(SCMP_SYS(prlimit64), {SCMP_A2(SCMP_CMP_EQ, 0, 0)});
}

// A program that begins: its loader opens libraries, to read them.
void allow_starting(Filter& filter) {
  filter.allow({SCMP_SYS(execve), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
                SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                SCMP_SYS(getdents64), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
                SCMP_SYS(fcntl), SCMP_SYS(uname), SCMP_SYS(getuid), SCMP_SYS(geteuid),
                SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(sysinfo)});
  constexpr scmp_datum_t kWrites = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
  filter.allow_where(SCMP_SYS(open), {SCMP_A1(SCMP_CMP_MASKED_EQ, kWrites, O_RDONLY)});
  filter.allow_where(SCMP_SYS(openat), {SCMP_A2(SCMP_CMP_MASKED_EQ, kWrites, O_RDONLY)});
}

// --- Landlock: which files can be named ---

constexpr uint64_t kRead =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kAllAccess = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // of its first version
constexpr std::array kReadable{"/usr", "/lib", "/lib64"};  // the last two may be links into it
constexpr const char* kLoaderCache = "/etc/ld.so.cache";

void allow_reading(int rules, const char* path, uint64_t access) {
  const int place = ::open(path, O_PATH | O_CLOEXEC);
  if (place < 0) return;  // not on this system
  const landlock_path_beneath_attr rule{access, place};
  const long failed = ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const int error = errno;
  ::close(place);
  if (failed != 0) fail("Landlock", error);
}

void keep_libraries_only() {
  const landlock_ruleset_attr attributes{kAllAccess};
  const long made =
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
  if (made < 0) fail("Landlock", errno);
  const int rules = static_cast<int>(made);
  for (const char* path : kReadable) allow_reading(rules, path, kRead);
  allow_reading(rules, kLoaderCache, LANDLOCK_ACCESS_FS_READ_FILE);
  if (::syscall(SYS_landlock_restrict_self, rules, 0) != 0) fail("Landlock", errno);
  ::close(rules);
}

void give_up_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs", errno);
}

}  // namespace

void enter_sandbox(const SandboxLimits& limits, int keep) {
  close_others(keep);
  set_limits(limits);
  give_up_privileges();
  Filter filter;
  allow_computing(filter);
  filter.load();
}

void exec_in_sandbox(const std::vector<std::string>& words, const SandboxLimits& limits) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  close_others(-1);
  set_limits(limits);
  give_up_privileges();
  keep_libraries_only();
  Filter filter;
  allow_computing(filter);
  allow_starting(filter);
  filter.load();
  ::execve(arguments[0], arguments.data(), environment.data());
  throw Error(Code::failed_precondition,
              fmt::format("cannot start {}: {}", words.at(0), strerror(errno)));
}

}  // namespace strata
