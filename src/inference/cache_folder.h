// A folder of files that can be computed again, one for each key, and how much of the disk they may
// take. Safe with several processes.
#pragma once

#include <cstdint>
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
    int64_t last_use_s = 0;  // since 1970
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

 private:
  std::vector<fs::path> paths() const;

  fs::path folder_;
  std::string_view extension_;
};

// As used now.
void touch(const fs::path& path);

}  // namespace strata::inference
