// Computed beginnings that outlive an executor: where they are kept, and when they are right for
// another one (docs/engine/prefixes.md).
#pragma once

#include <string_view>

#include "inference/cache_folder.h"

namespace strata::inference {

class KvCache;

// The cache goes on from what an earlier one saved, where that was computed from the same weights
// by the same program with the same kernels. Neither throws: what goes wrong stands in the log.
void recall_prefixes(const DiskCache& disk, std::string_view kernels, KvCache& cache);
void save_prefixes(const DiskCache& disk, std::string_view kernels, KvCache& cache);

}  // namespace strata::inference
