// The folder of the files of beginnings, one a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/cache_folder.h"
#include "inference/prefix_file.h"
#include "models/hub/store.h"

namespace strata::inference {

class PrefixFolder : public CacheFolder {
 public:
  explicit PrefixFolder(fs::path folder) : CacheFolder(std::move(folder), ".prefixes") {}
  // The one of a store.
  explicit PrefixFolder(const models::Store& store)
      : PrefixFolder(store.cache_folder() / "prefixes") {}

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

  // The model's file; nullopt when there is none, or one that is damaged or was not computed by
  // what `head` names (its identity and pools): the log says so.
  std::optional<PrefixFile> open(const PrefixIndex& head) const;
};

}  // namespace strata::inference
