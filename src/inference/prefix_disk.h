// Computed beginnings that outlive an executor: where they are kept, and when they are right for
// another one (docs/engine/prefixes.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/os.h"

namespace strata::inference {

class KvCache;

struct PrefixDisk {
  fs::path folder;         // of PrefixFolder
  std::string model;       // its name
  std::string weights;     // a hash of the bytes that it computes with
  uint64_t max_bytes = 0;  // of all files in the folder; 0: nothing is kept, nothing is read
  // Asked before saving, under the folder's lock: false when the model was deleted meanwhile.
  std::function<bool()> still_there{};
};

// The cache goes on from what an earlier one saved, where that was computed from the same weights
// by the same program with the same kernels. Neither throws: what goes wrong stands in the log.
void recall_prefixes(const PrefixDisk& disk, std::string_view kernels, KvCache& cache);
void save_prefixes(const PrefixDisk& disk, std::string_view kernels, KvCache& cache);

}  // namespace strata::inference
