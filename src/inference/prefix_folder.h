// The folder of the files of beginnings, one a model, and how much of the disk they may take.
// Safe with several processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/os.h"
#include "inference/prefix_file.h"
#include "models/hub/store.h"

namespace strata::inference {

class PrefixFolder {
 public:
  explicit PrefixFolder(fs::path folder) : folder_(std::move(folder)) {}
  // The one of a store.
  explicit PrefixFolder(const models::Store& store)
      : PrefixFolder(store.cache_folder() / "prefixes") {}

  const fs::path& path() const { return folder_; }

  struct Entry {
    std::string model;  // "" when the file is damaged
    int64_t n_tokens = 0;
    uint64_t bytes = 0;
    int64_t last_use_s = 0;  // since 1970
    std::string damage;      // "" when there is none
    fs::path path;
  };
  // The latest used first.
  std::vector<Entry> list() const;
  // False: there was nothing of that model. Waits for the lock, as remove_all().
  bool remove(const std::string& model) const;
  size_t remove_all() const;  // damaged ones too; returns how many

  fs::path file_of(const std::string& model) const;
  // The model's file; nullopt when there is none, or one that is damaged or was not computed by
  // what `head` names (its identity and pools): the log says so.
  std::optional<PrefixFile> open(const PrefixIndex& head) const;

  // --- writing: under the lock ---
  // Waits for it, ten seconds at most: Error{cancelled}. Makes the folder, for its owner only, and
  // removes what a crash left half-written.
  FileLock lock() const;
  // Removes the longest unused files of other models until `bytes` for this one's fit.
  void make_room(const std::string& model, uint64_t bytes, uint64_t max_bytes) const;

 private:
  std::vector<fs::path> files() const;

  fs::path folder_;
};

}  // namespace strata::inference
