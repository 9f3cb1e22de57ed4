// What this machine could do with a model: the memory that it would take, and how fast it could
// write at best.
#pragma once

#include <cstdint>

#include "models/hub/catalog.h"

namespace strata::api {

// Bytes per second that all usable cores read from memory together, the best that was seen: what
// other programs do meanwhile lowers it. A call measures, which takes about a second, where none
// has for half a minute.
double memory_bandwidth();

struct ModelNeed {
  uint64_t context = 0;  // positions that it is for: at most the model's own
  uint64_t weight_bytes = 0, cache_bytes = 0, work_bytes = 0;
  uint64_t total() const { return weight_bytes + cache_bytes + work_bytes; }
};
// Of a model that is not here, from what the catalogue says.
ModelNeed need_of(const models::CatalogEntry& entry, uint64_t context);

// Tokens per second that memory allows: each token reads the weights that it uses, and the keys and
// values of a context that is half full. The arithmetic may be slower.
double fastest_writing(double weight_bytes_a_token, const ModelNeed& need);

}  // namespace strata::api
