// What a model needs of memory, foretold from its spec before anything is loaded.
#pragma once

#include <cstdint>

#include "models/family/spec.h"

namespace strata::inference {

struct MemoryNeed {
  int64_t weight_bytes = 0;  // packed, resident
  int64_t kv_bytes = 0;      // keys and values of `positions` positions
  int64_t work_bytes = 0;    // buffers of a step, tables, the program itself
  int64_t total() const { return weight_bytes + kv_bytes + work_bytes; }
};

// positions: of all sequences together. Layers with a window hold no more than the window and one
// page. Keys and values are bf16.
MemoryNeed foretell_memory(const models::ModelSpec& spec, int64_t file_bytes, int64_t positions);

}  // namespace strata::inference
