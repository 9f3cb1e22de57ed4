// What a model needs of memory, foretold from its file and spec before anything is loaded.
#pragma once

#include <cstdint>

#include "models/family/spec.h"
#include "models/format/model_file.h"
#include "tensor/kv_page.h"

namespace strata::inference {

struct MemoryNeed {
  int64_t weight_bytes = 0;  // packed, resident
  int64_t kv_bytes = 0;      // keys and values of `positions` positions
  int64_t work_bytes = 0;    // buffers of a step, tables, the program itself
  int64_t total() const { return weight_bytes + kv_bytes + work_bytes; }
};

// positions: of all sequences together. Layers with a window hold the blocks that it reaches.
// Weights are what they become in memory (tensor/packed.h), which for types below four bits is more
// than the file. Errors: those of models::locate_weight.
MemoryNeed foretell_memory(const models::ModelSpec& spec, const models::ModelFile& file,
                           int64_t positions, tensor::KvFormat kv);

// Its kv_bytes alone.
int64_t kv_bytes_of(const models::ModelSpec& spec, int64_t positions, tensor::KvFormat kv);

// Keys and values of one position, all layers but recurrent ones; what a window will drop is
// counted too.
int64_t kv_bytes_per_position(const models::ModelSpec& spec, tensor::KvFormat kv);

// What recurrent layers hold of a block of positions (kv_pool.h); a sequence has two.
int64_t state_block_bytes(const models::ModelSpec& spec);

// The format that keys and values will have: some blocks keep only one.
tensor::KvFormat kv_format_held(const models::ModelSpec& spec, tensor::KvFormat kv);

// The packed matrices and the vectors of the fast executor. A token embedding that is not the head
// too stays in the mapped file.
int64_t packed_weight_bytes(const models::ModelSpec& spec, const models::ModelFile& file);

}  // namespace strata::inference
