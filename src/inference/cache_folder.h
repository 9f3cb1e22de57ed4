// A folder of files that can be computed again, one for each key, and how much of the disk they may
// take. Safe with several processes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/os.h"

namespace strata::inference {

class CacheFolder {
 public:
  // `extension` with its dot: what the files are called by.
  CacheFolder(fs::path folder, std::string_view extension)
      : folder_(std::move(folder)), extension_(extension) {}

  const fs::path& path() const { return folder_; }
  fs::path file_of(std::string_view key) const;

  struct File {
    fs::path path;
    uint64_t bytes = 0;
    fs::file_time_type last_use;
    int64_t last_use_s() const;  // since 1970
  };
  // The latest used first; none that is half-written.
  std::vector<File> files() const;

  // False: there was nothing of that key. Waits for the lock, as remove_all().
  bool remove(std::string_view key) const;
  size_t remove_all() const;  // returns how many

  // --- writing: under the lock ---
  // Waits for it, ten seconds at most: Error{cancelled}. Makes the folder, for its owner only, and
  // removes what a crash left half-written.
  FileLock lock() const;
  // Removes the longest unused files of other keys until `bytes` for this one's fit.
  void make_room(std::string_view key, uint64_t bytes, uint64_t max_bytes) const;

  // A name beside the key's file, to be renamed to it. While this lives, no lock() removes it, so
  // that a long write need not hold the lock.
  struct Temporary {
    fs::path path;
    FileLock in_use;
  };
  Temporary temporary_of(std::string_view key) const;

 private:
  std::vector<fs::path> paths() const;

  fs::path folder_;
  std::string_view extension_;
};

// As used now, where the file system lets it.
void touch(const fs::path& path);

// What an executor keeps in such a folder from one run to the next.
struct DiskCache {
  fs::path folder;
  std::string model;       // its name
  std::string weights;     // a hash of the bytes that it computes with
  uint64_t max_bytes = 0;  // of all files in the folder; 0: nothing is kept, nothing is read
  // Asked before saving, under the folder's lock: false when the model was deleted meanwhile.
  std::function<bool()> still_there{};
};

}  // namespace strata::inference
