// Packed weights that outlive an executor: a file of the arena in which they lie, so that the next
// start maps them instead of packing again (docs/engine/weights.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "core/threads.h"
#include "inference/cache_folder.h"
#include "models/hub/store.h"
#include "tensor/arena.h"

namespace strata::inference {

struct PackedDisk {
  fs::path folder;         // of PackedFolder
  std::string model;       // its name, for people
  std::string weights;     // a hash of the bytes that are packed: whose file it is
  uint64_t max_bytes = 0;  // of all files in the folder; 0: nothing is kept, nothing is read
  // Asked before saving, under the folder's lock: false when the model was deleted meanwhile.
  std::function<bool()> still_there{};
};

// The folder of these files, one for the weights of a hash, whatever names they have.
class PackedFolder : public CacheFolder {
 public:
  explicit PackedFolder(fs::path folder) : CacheFolder(std::move(folder), ".packed") {}
  // The one of a store.
  explicit PackedFolder(const models::Store& store)
      : PackedFolder(store.cache_folder() / "packed") {}

  struct Entry {
    std::string model;  // that wrote it; "" when the file is damaged
    uint64_t bytes = 0;
    int64_t last_use_s = 0;  // since 1970
    std::string damage;      // "" when there is none
  };
  // The latest used first.
  std::vector<Entry> list() const;
};

// A filled arena where an earlier executor of the same program left these weights, else an empty
// one. Does not throw: what goes wrong stands in the log.
tensor::Arena recall_packed(const PackedDisk& disk, Team& team);

// Writes what was taken of an arena on a thread of its own; its end waits until that is done. The
// parts must stay as they are until then. A filled arena is there already.
class PackedWriter {
 public:
  PackedWriter() = default;
  PackedWriter(PackedDisk disk, const tensor::Arena& arena);

 private:
  std::jthread thread_;
};

}  // namespace strata::inference
