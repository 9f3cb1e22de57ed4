// The paged key-value cache of the fast executor: a pool of blocks and, per sequence and layer, the
// page tables that tensor/attention.h reads.
//
// Layers with the same window share a pool. A block of a pool holds kBlockPositions positions of
// one sequence for all layers of the pool, [layer][kv_head][pages], so that the pages of a head
// stand in runs. Blocks with low numbers go first: what was never used is not resident.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "inference/executor.h"
#include "tensor/attention.h"
#include "tensor/buffer.h"

namespace strata::inference {

// A multiple of every page size.
constexpr int32_t kBlockPositions = 128;
// Positions behind the window that are kept, so that a short roll-back always works.
constexpr int32_t kWindowSlack = 64;
// Sequences whose last block may be half empty without taking from n_positions_limit.
constexpr int64_t kPartBlocks = 32;

struct KvLayer {
  int32_t n_kv_heads = 0;
  tensor::KvShape shape;
  int32_t window = 0;  // 0: all
};

class KvCache {
 public:
  // Page tables of one sequence.
  class Pages {
   public:
    const uint16_t* const* table(size_t layer) const { return tables_[layer].data(); }
    int64_t stride(size_t layer) const { return strides_[layer]; }
    // The page of a position that is reserved.
    uint16_t* page(size_t layer, int32_t kv_head, int32_t page) const {
      return tables_[layer][static_cast<size_t>(kv_head * strides_[layer] + page)];
    }

   private:
    friend class KvCache;
    std::vector<std::vector<int32_t>> blocks_;    // per pool, by position; -1: none
    std::vector<std::vector<uint16_t*>> tables_;  // per layer, [n_kv_heads][stride]
    std::vector<int64_t> strides_;                // per layer, pages
  };

  // n_positions: of all sequences together; bytes_limit: 0 is none.
  KvCache(std::vector<KvLayer> layers, int64_t n_positions, int64_t bytes_limit);

  void add(SequenceId sequence);
  void remove(SequenceId sequence);
  const Pages& pages(SequenceId sequence) const { return sequences_.at(sequence); }

  struct Growth {
    SequenceId sequence = 0;
    int32_t length = 0;  // positions [0, length) will be there
  };
  bool fits(std::span<const Growth> growth) const;
  // Error{resource_exhausted} when not all fit; then nothing has changed.
  void reserve(std::span<const Growth> growth);
  // Gives back what no query at or after `length` sees.
  void slide(SequenceId sequence, int32_t length);
  // Gives back what lies behind `length`. Error{failed_precondition} when a window has dropped what
  // a query at `length` would see; then nothing has changed.
  void truncate(SequenceId sequence, int32_t length);

  int64_t bytes_used() const;
  int64_t bytes_reserved() const;
  int64_t n_positions_free() const;

 private:
  struct Pool {
    int32_t window = 0;
    std::vector<size_t> layers;
    std::vector<int64_t> offsets;  // of each layer in a block, elements
    int64_t block_elements = 0;
    int32_t n_blocks = 0;
    int32_t n_free = 0;
    int32_t first_free = 0;  // no free block is below
    int32_t n_touched = 0;   // blocks from here on were never taken: still zero, not resident
    std::vector<uint8_t> taken;
    tensor::Buffer memory;
  };

  int64_t missing_blocks(size_t pool, std::span<const Growth> growth) const;
  void grow_tables(Pages& pages, int32_t length) const;
  void take_block(size_t pool, Pages& pages, size_t index);
  void free_block(size_t pool, Pages& pages, size_t index);
  void point(const Pool& pool, Pages& pages, size_t index, int32_t block) const;

  std::vector<KvLayer> layers_;
  std::vector<Pool> pools_;
  std::map<SequenceId, Pages> sequences_;
};

}  // namespace strata::inference
