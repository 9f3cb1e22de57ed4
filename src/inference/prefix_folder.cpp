#include "inference/prefix_folder.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

namespace strata::inference {
namespace {

constexpr std::string_view kExtension = ".prefixes";

// A file that another process removed meanwhile is as old, and as small, as can be.
fs::file_time_type last_use(const fs::path& path) {
  std::error_code gone;
  const auto time = fs::last_write_time(path, gone);
  return gone ? fs::file_time_type::min() : time;
}

int64_t since_1970_s(fs::file_time_type time) {
  const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

uint64_t size_of(const fs::path& path) {
  std::error_code gone;
  const auto size = fs::file_size(path, gone);
  return gone ? 0 : size;
}

PrefixFolder::Entry entry_of(const fs::path& path) {
  PrefixFolder::Entry entry{.model = {},
                            .n_tokens = 0,
                            .bytes = size_of(path),
                            .last_use_s = since_1970_s(last_use(path)),
                            .damage = {},
                            .path = path};
  try {
    const PrefixFile file = PrefixFile::open(path);
    entry.model = models::parse_model_name(file.index().model).full();
    entry.n_tokens = file.index().n_tokens();
  } catch (const Error& error) {
    entry.damage = error.message();
  }
  return entry;
}

// FileLock asks five times a second: a writer that is stuck holds up others for ten seconds at
// most.
constexpr int kMostAsked = 50;

}  // namespace

std::vector<fs::path> PrefixFolder::files() const {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_, none)) {
    if (entry.path().extension() == kExtension) found.push_back(entry.path());
  }
  return found;
}

std::vector<PrefixFolder::Entry> PrefixFolder::list() const {
  std::vector<Entry> entries;
  for (const fs::path& path : files()) {
    if (!path.filename().string().starts_with(kTemporaryPrefix)) entries.push_back(entry_of(path));
  }
  std::ranges::sort(entries, std::ranges::greater{}, &Entry::last_use_s);
  return entries;
}

// The name's hash: no name leaves the folder, and none is too long. Who it is of stands inside.
fs::path PrefixFolder::file_of(const std::string& model) const {
  return folder_ / (sha256_hex(model).substr(0, 32) + std::string(kExtension));
}

bool PrefixFolder::remove(const std::string& model) const {
  const fs::path path = file_of(model);
  if (!fs::exists(folder_)) return false;
  const FileLock alone = lock();  // who saves carries over what was there
  if (!fs::exists(path)) return false;
  remove_durably(path);
  return true;
}

size_t PrefixFolder::remove_all() const {
  if (!fs::exists(folder_)) return 0;
  const FileLock alone = lock();
  const auto all = files();
  for (const fs::path& path : all) remove_durably(path);
  return all.size();
}

std::optional<PrefixFile> PrefixFolder::open(const PrefixIndex& head) const {
  try {
    PrefixFile file = PrefixFile::open(file_of(head.model));
    if (file.index().identity == head.identity && file.index().block_bytes == head.block_bytes) {
      return file;
    }
    log_info(
        "{}: what is on disk of its prompts was computed by other weights, kernels or another "
        "build: not used",
        head.model);
  } catch (const Error& error) {
    if (error.code() != Code::not_found) {
      log_warn("{}: its prompts on disk are not used: {}", head.model, error.message());
    }
  }
  return std::nullopt;
}

FileLock PrefixFolder::lock() const {
  make_directories(folder_, 0700);
  fs::permissions(folder_, fs::perms::owner_all);
  FileLock lock = FileLock::wait(folder_ / ".lock", FileLock::Kind::exclusive,
                                 [asked = 0]() mutable { return ++asked < kMostAsked; });
  for (const fs::path& path : files()) {
    if (path.filename().string().starts_with(kTemporaryPrefix)) remove_durably(path);
  }
  return lock;
}

void PrefixFolder::make_room(const std::string& model, uint64_t bytes, uint64_t max_bytes) const {
  struct Other {
    fs::path path;
    uint64_t bytes = 0;
    fs::file_time_type last_use;
  };
  std::vector<Other> others;
  uint64_t total = bytes;
  for (const fs::path& path : files()) {
    if (path == file_of(model)) continue;
    others.push_back({path, size_of(path), last_use(path)});
    total += others.back().bytes;
  }
  std::ranges::sort(others, {}, &Other::last_use);
  for (const Other& other : others) {
    if (total <= max_bytes) return;
    remove_durably(other.path);
    total -= other.bytes;
  }
}

}  // namespace strata::inference
