#include "inference/cache_folder.h"

#include <algorithm>
#include <chrono>

#include <unistd.h>

#include "core/error.h"
#include "core/hash.h"

namespace strata::inference {
namespace {

// A file that another process removed meanwhile is as old, and as small, as can be.
fs::file_time_type last_use(const fs::path& path) {
  std::error_code gone;
  const auto time = fs::last_write_time(path, gone);
  return gone ? fs::file_time_type::min() : time;
}

uint64_t size_of(const fs::path& path) {
  std::error_code gone;
  const auto size = fs::file_size(path, gone);
  return gone ? 0 : size;
}

bool is_half_written(const fs::path& path) {
  return path.filename().string().starts_with(kTemporaryPrefix);
}

// FileLock asks five times a second: a writer that is stuck holds up others for ten seconds at
// most.
constexpr int kMostAsked = 50;

}  // namespace

std::vector<fs::path> CacheFolder::paths() const {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_, none)) {
    if (entry.path().extension() == extension_) found.push_back(entry.path());
  }
  return found;
}

std::vector<CacheFolder::File> CacheFolder::files() const {
  std::vector<File> files;
  for (const fs::path& path : paths()) {
    if (!is_half_written(path)) files.push_back({path, size_of(path), last_use(path)});
  }
  std::ranges::sort(files, std::ranges::greater{}, &File::last_use);
  return files;
}

// The key's hash: no key leaves the folder, and none is too long. What it is of stands inside.
fs::path CacheFolder::file_of(std::string_view key) const {
  return folder_ / (sha256_hex(key).substr(0, 32) + std::string(extension_));
}

bool CacheFolder::remove(std::string_view key) const {
  const fs::path path = file_of(key);
  if (!fs::exists(folder_)) return false;
  const FileLock alone = lock();  // who saves carries over what was there
  if (!fs::exists(path)) return false;
  remove_durably(path);
  return true;
}

size_t CacheFolder::remove_all() const {
  if (!fs::exists(folder_)) return 0;
  const FileLock alone = lock();
  const auto all = paths();
  for (const fs::path& path : all) remove_durably(path);
  return all.size();
}

FileLock CacheFolder::lock() const {
  make_directories(folder_, 0700);
  fs::permissions(folder_, fs::perms::owner_all);
  FileLock lock = FileLock::wait(folder_ / ".lock", FileLock::Kind::exclusive,
                                 [asked = 0]() mutable { return ++asked < kMostAsked; });
  for (const fs::path& path : paths()) {
    if (!is_half_written(path)) continue;
    if (FileLock::attempt(path, FileLock::Kind::exclusive)) remove_durably(path);
  }
  return lock;
}

CacheFolder::Temporary CacheFolder::temporary_of(std::string_view key) const {
  fs::path path = folder_ / fmt::format("{}{}-{}", kTemporaryPrefix, ::getpid(),
                                        file_of(key).filename().string());
  auto in_use = FileLock::attempt(path, FileLock::Kind::exclusive);
  if (!in_use) {
    throw Error(Code::unavailable, fmt::format("{} is being written already", path.string()));
  }
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  return {std::move(path), std::move(*in_use)};
}

void CacheFolder::make_room(std::string_view key, uint64_t bytes, uint64_t max_bytes) const {
  auto others = files();
  std::erase_if(others, [own = file_of(key)](const File& file) { return file.path == own; });
  uint64_t total = bytes;
  for (const File& other : others) total += other.bytes;
  for (; total > max_bytes && !others.empty(); others.pop_back()) {
    remove_durably(others.back().path);
    total -= others.back().bytes;
  }
}

int64_t CacheFolder::File::last_use_s() const {
  const auto since = std::chrono::file_clock::to_sys(last_use).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

void touch(const fs::path& path) {
  std::error_code read_only;
  fs::last_write_time(path, fs::file_time_type::clock::now(), read_only);
}

}  // namespace strata::inference
