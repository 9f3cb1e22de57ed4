#include "core/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/error.h"

namespace strata {
namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int error) {
  Code code = Code::unavailable;
  if (error == ENOENT || error == ENOTDIR) code = Code::not_found;
  if (error == EACCES || error == EPERM) code = Code::permission_denied;
  throw Error(code, fmt::format("can't {} {}: {}", action, path.string(), std::strerror(error)));
}

// Addresses that begin on a huge page, reserved; null when there are none.
void* huge_address(size_t size) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t reserve = size + kHugePage;
  void* base =
      ::mmap(nullptr, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  const auto address = reinterpret_cast<uintptr_t>(base);
  const uintptr_t aligned = (address + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned != address) ::munmap(base, aligned - address);
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t end = aligned + (size + page - 1) / page * page;
  ::munmap(reinterpret_cast<void*>(end), address + reserve - end);
  return reinterpret_cast<void*>(aligned);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, Pages pages) {
  // Non-blocking, so that a named pipe is refused below instead of waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(path, "open", errno);
  struct stat status{};
  if (::fstat(file.fd, &status) != 0) fail(path, "examine", errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(Code::invalid_argument, fmt::format("{} is not a regular file", path.string()));
  }
  if (status.st_size <= 0) {
    throw Error(Code::invalid_argument, fmt::format("{} is empty", path.string()));
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* base = pages == Pages::huge ? huge_address(size) : nullptr;
  const int fixed = base != nullptr ? MAP_FIXED : 0;
  base = ::mmap(base, size, PROT_READ, MAP_PRIVATE | fixed, file.fd, 0);
  if (base == MAP_FAILED) fail(path, "map", errno);
  bytes_ = {static_cast<const std::byte*>(base), size};
  if (pages == Pages::any) return;
  // Hints, which a system may not know; but a read that fails is told here, not by a signal later.
  ::madvise(base, size, MADV_HUGEPAGE);
  if (::madvise(base, size, MADV_POPULATE_READ) == 0) return;
  const int error = errno;
  if (error == EINVAL || error == ENOSYS || error == EAGAIN) return;
  ::munmap(base, size);
  fail(path, "read", error);
}

size_t MappedFile::huge_bytes() const {
  const std::string begins = fmt::format("{:08x}-", reinterpret_cast<uintptr_t>(bytes_.data()));
  std::ifstream maps("/proc/self/smaps");
  bool is_ours = false;
  for (std::string line; std::getline(maps, line);) {
    is_ours = is_ours || line.starts_with(begins);
    if (!is_ours || !line.starts_with("FilePmdMapped:")) continue;
    return 1024 * std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
  }
  return 0;
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> slice) const {
  const auto file_begin = reinterpret_cast<uintptr_t>(bytes_.data());
  const auto begin = reinterpret_cast<uintptr_t>(slice.data());
  CHECK(begin >= file_begin && begin + slice.size() <= file_begin + bytes_.size());
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + slice.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace strata
