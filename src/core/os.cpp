// Folders, environment, terminal, memory and time. Files: os_file.cpp; processes: os_process.cpp.
#include "core/os.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/error.h"

namespace strata {
namespace {

fs::path xdg(const std::string& variable, std::string_view below_home) {
  const auto set = environment(variable);
  // The specification: a relative path is to be ignored.
  if (set && fs::path(*set).is_absolute()) return fs::path(*set) / "strata";
  const auto home = environment("HOME");
  if (!home || !fs::path(*home).is_absolute()) {
    throw Error(Code::failed_precondition, "HOME is not set to an absolute path",
                "set HOME, or STRATA_HOME to the folder that Strata may use");
  }
  return fs::path(*home) / below_home / "strata";
}

// First number in a file of the kernel's, or nullopt ("max" has none).
std::optional<uint64_t> number_in(const char* path) {
  std::ifstream in(path);
  std::string word;
  if (!(in >> word)) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// The number behind a key at the beginning of a line.
std::optional<uint64_t> number_of(std::string_view key, const char* path) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    uint64_t number = 0;
    if (word == key && in >> number) return number;
    in.ignore(256, '\n');
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Directories directories() {
  if (const auto home = environment("STRATA_HOME")) {
    const fs::path root = fs::absolute(*home);
    return {root, root, root / "state", root / "cache"};
  }
  return {xdg("XDG_CONFIG_HOME", ".config"), xdg("XDG_DATA_HOME", ".local/share"),
          xdg("XDG_STATE_HOME", ".local/state"), xdg("XDG_CACHE_HOME", ".cache")};
}

uint64_t free_disk_bytes(const fs::path& path) {
  fs::path at = fs::absolute(path);
  std::error_code ignored;
  while (!fs::exists(at, ignored) && at.has_relative_path()) at = at.parent_path();
  struct statvfs info{};
  if (::statvfs(at.c_str(), &info) != 0) {
    throw Error(Code::internal, fmt::format("cannot ask for the free space of {}", at.string()));
  }
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

int terminal_columns(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t pages_virtual = 0;
  uint64_t pages_resident = 0;
  in >> pages_virtual >> pages_resident;
  return pages_resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t total_memory_bytes() {
  const uint64_t machine = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                           static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::min(machine, number_in("/sys/fs/cgroup/memory.max").value_or(machine));
}

uint64_t available_memory_bytes() {
  const auto kilobytes = number_of("MemAvailable:", "/proc/meminfo");
  uint64_t available = kilobytes ? 1024 * *kilobytes : total_memory_bytes();
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) {
    // What the page cache has of files is given back when it is wanted.
    const auto cached = number_of("file", "/sys/fs/cgroup/memory.stat").value_or(0);
    const uint64_t taken = *used - std::min(*used, cached);
    available = std::min(available, *limit - std::min(*limit, taken));
  }
  // Both count the files that this process has mapped as free, and it needs them.
  const uint64_t mapped = 1024 * number_of("RssFile:", "/proc/self/status").value_or(0);
  return available - std::min(available, mapped);
}

uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

int64_t unix_seconds() {
  return static_cast<int64_t>(std::time(nullptr));
}

std::string utc_timestamp(int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  if (::gmtime_r(&time, &utc) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace strata
