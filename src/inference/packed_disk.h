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

// The folder of these files, one for the weights of a hash, whatever names they have.
class PackedFolder : public CacheFolder {
 public:
  explicit PackedFolder(fs::path folder) : CacheFolder(std::move(folder), ".packed") {}
  // The one of a store.
  explicit PackedFolder(const models::Store& store)
      : PackedFolder(store.cache_folder() / "packed") {}

  struct Entry {
    std::string model;  // that wrote it; "" when the file is damaged
    fs::path path;
    uint64_t bytes = 0;
    int64_t last_use_s = 0;  // since 1970
    std::string damage;      // "" when there is none
  };
  // The latest used first.
  std::vector<Entry> list() const;
  // What the model wrote and what is of these weights ("": unknown). False: nothing was there.
  bool remove_of(const std::string& model, const std::string& weights) const;
};

// A filled arena where an earlier executor of the same program left these weights, else an empty
// one. Does not throw: what goes wrong stands in the log.
tensor::Arena recall_packed(const DiskCache& disk, Team& team);

// Writes what was taken of an arena on a thread of its own, whose end it waits for, but not much
// longer than two seconds: then nothing is kept. The parts must stay as they are until then. A
// filled arena is there already.
class PackedWriter {
 public:
  PackedWriter() = default;
  PackedWriter(DiskCache disk, const tensor::Arena& arena);

 private:
  std::jthread thread_;
};

}  // namespace strata::inference
