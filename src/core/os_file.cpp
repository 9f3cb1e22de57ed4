// Files that survive a crash, and locks between processes.
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/os.h"

namespace strata {
namespace {

[[noreturn]] void fail(std::string_view doing, const fs::path& path, int error) {
  const std::string what = fmt::format("cannot {} {}: {}", doing, path.string(), strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      throw Error(Code::not_found, what);
    case EACCES:
    case EPERM:
    case EROFS:
      throw Error(Code::permission_denied, what, "check the folder's owner and permissions");
    case EEXIST:
      throw Error(Code::already_exists, what);
    case ENOSPC:
    case EDQUOT:
      throw Error(Code::resource_exhausted,
                  fmt::format("{}; {} bytes are free there", what, free_disk_bytes(path)),
                  "free some space, or set STRATA_HOME to a folder on a larger disk");
    case EFBIG:
      throw Error(Code::resource_exhausted, what, "raise the file size limit (ulimit -f)");
    case EMFILE:
    case ENFILE:
      throw Error(Code::resource_exhausted, what, "raise the open files limit (ulimit -n)");
    default:
      throw Error(Code::internal, what);
  }
}

int flags_of(File::Mode mode) {
  switch (mode) {
    case File::Mode::read:
      return O_RDONLY;
    case File::Mode::append:
      return O_RDWR | O_CREAT | O_APPEND;
    case File::Mode::truncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

fs::path temporary_beside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return path.parent_path() /
         fmt::format("{}{}-{}", kTemporaryPrefix, ::getpid(), counter.fetch_add(1));
}

}  // namespace

File File::open(const fs::path& path, Mode mode, unsigned permissions) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, permissions);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail("open", path, errno);
  return {descriptor, path};
}

File File::in_memory(std::string_view content) {
  const int descriptor = ::memfd_create("strata", MFD_CLOEXEC);
  if (descriptor < 0) fail("make", "a file in memory", errno);
  File file(descriptor, "a file in memory");
  file.write(std::as_bytes(std::span(content)));
  file.seek(0);
  return file;
}

File File::standard_input() {
  const int descriptor = ::fcntl(0, F_DUPFD_CLOEXEC, 3);
  if (descriptor < 0) fail("open", "the standard input", errno);
  return {descriptor, "the standard input"};
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

size_t File::read(std::span<std::byte> into) {
  for (;;) {
    const ssize_t got = ::read(descriptor_, into.data(), into.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) fail("read", path_, errno);
  }
}

void File::seek(uint64_t offset) {
  if (::lseek(descriptor_, static_cast<off_t>(offset), SEEK_SET) < 0) fail("seek in", path_, errno);
}

uint64_t File::size() const {
  struct stat info{};
  if (::fstat(descriptor_, &info) != 0) fail("stat", path_, errno);
  return static_cast<uint64_t>(info.st_size);
}

void File::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail("write", path_, put < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void File::truncate(uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail("truncate", path_, errno);
}

void File::sync() {
  if (::fsync(descriptor_) != 0) fail("write to disk", path_, errno);
}

std::string read_file(const fs::path& path, uint64_t max_bytes) {
  File file = File::open(path, File::Mode::read);
  std::string content;
  std::array<std::byte, 65536> buffer;
  for (;;) {
    const size_t got = file.read(buffer);
    if (got == 0) return content;
    if (content.size() + got > max_bytes) {
      throw Error(Code::resource_exhausted,
                  fmt::format("{} is over the limit of {} bytes", path.string(), max_bytes));
    }
    content.append(reinterpret_cast<const char*>(buffer.data()), got);
  }
}

void make_directories(const fs::path& path, unsigned mode) {
  if (path.empty()) return;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return;
  if (path.has_parent_path() && path.parent_path() != path) {
    make_directories(path.parent_path(), mode);
  }
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail("make the folder", path, errno);
}

void sync_directory(const fs::path& path) {
  File::open(path.empty() ? fs::path(".") : path, File::Mode::read).sync();
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
  sync_directory(to.parent_path());
}

void remove_durably(const fs::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail("remove", path, errno);
  }
  sync_directory(path.parent_path());
}

void write_file_atomic(const fs::path& path, std::string_view content, unsigned mode) {
  if (path.has_parent_path()) make_directories(path.parent_path());
  const fs::path temporary = temporary_beside(path);
  try {
    File file = File::open(temporary, File::Mode::truncate, mode);
    file.write(std::as_bytes(std::span(content)));
    file.sync();
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

std::optional<FileLock> FileLock::attempt(const fs::path& path, Kind kind) {
  if (path.has_parent_path()) make_directories(path.parent_path());
  File file = File::open(path, File::Mode::append);
  const int operation = (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(file.descriptor(), operation) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) fail("lock", path, errno);
  }
  return FileLock(std::move(file));
}

FileLock FileLock::wait(const fs::path& path, Kind kind,
                        const std::function<bool()>& keep_waiting) {
  for (;;) {
    if (auto lock = attempt(path, kind)) return std::move(*lock);
    if (keep_waiting && !keep_waiting()) {
      throw Error(Code::cancelled, fmt::format("cancelled while waiting for {}", path.string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(keep_waiting ? 200 : 20));
  }
}

}  // namespace strata
