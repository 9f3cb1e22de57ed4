// The paged key-value cache of the fast executor: pools of blocks and, per sequence and layer, the
// page tables that tensor/attention.h reads. What sequences leave stays, up to a limit, and a new
// sequence with the same beginning goes on from there (docs/engine/prefixes.md).
//
// Layers with the same window share a pool. A block of a pool holds kBlockPositions positions of
// one sequence for all layers of the pool, [layer][kv_head][pages], so that the pages of a head
// stand in runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/executor.h"
#include "inference/kv_pool.h"
#include "inference/prefix_recall.h"
#include "inference/prefix_save.h"
#include "inference/prefix_tree.h"

namespace strata::inference {

// Positions behind the window that are kept, so that a short roll-back always works.
constexpr int32_t kWindowSlack = 64;
// Sequences whose last block may be half empty without taking from n_positions_limit.
constexpr int64_t kPartBlocks = 32;

// The first block of a window that a sequence of so many positions needs, roll-back included.
size_t first_block_kept(int32_t window, int32_t length);

struct KvLimits {
  int64_t n_positions = 0;     // of all sequences together
  int64_t bytes = 0;           // 0: what n_positions needs
  int64_t n_kept = 0;          // positions that stay when their sequences are gone
  int64_t n_state_blocks = 0;  // at most so many, of recurrent layers
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
    std::vector<int32_t> tokens_;                 // whose positions are computed
    PrefixNode* root_ = nullptr;                  // of its scope
    std::vector<PrefixNode*> path_;               // of its full blocks

    PrefixNode* last_node() const { return path_.empty() ? root_ : path_.back(); }
  };

  // Error{resource_exhausted} when the limits do not hold a block.
  KvCache(std::vector<KvLayer> layers, const KvLimits& limits);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  // A new sequence; returns how many of the first positions of `tokens` it holds already from
  // others of its scope, fewer than tokens.size().
  int32_t add(SequenceId sequence, std::span<const int32_t> tokens, const PrefixScope& scope);
  void remove(SequenceId sequence);
  const Pages& pages(SequenceId sequence) const { return sequences_.at(sequence); }

  struct Growth {
    SequenceId sequence = 0;
    int32_t length = 0;  // positions [0, length) will be there
  };
  // Of recurrent layers the blocks of one step, since those before go as it grows.
  bool fits(std::span<const Growth> growth) const;
  // Also gives back what no query behind the sequences' ends sees. Error{resource_exhausted} when
  // not all fit; then none has grown.
  void reserve(std::span<const Growth> growth);
  // The positions of these tokens, which follow the sequence's last, are computed. What stays of
  // them when the sequence grows or ends goes into the prefix tree.
  void extend(SequenceId sequence, std::span<const int32_t> tokens);
  // Gives back what lies behind `length`. Error{failed_precondition} when a window has dropped what
  // a query at `length` would see, Error{resource_exhausted} when a shared block must be copied and
  // there is no other; then nothing has changed.
  void truncate(SequenceId sequence, int32_t length);

  // --- Beginnings on disk ---
  // How positions lie in a block: where two caches say the same, blocks of one are right in the
  // other, if the same arithmetic computed them.
  std::string layout() const;
  std::vector<uint64_t> block_bytes() const;  // of each pool
  // From now on sequences go on from what this file holds too. Precondition: its pools are these.
  void recall_from(PrefixFile file);
  // What of the cache, and of the old file (or null), goes into a new one: prefix_save.h.
  PrefixSave plan_save(PrefixIndex head, PrefixFile* old, uint64_t max_bytes);
  void save(PrefixSave& plan, const fs::path& path) const { plan.write(path, pools_); }

  int64_t bytes_used() const;  // by sequences
  int64_t bytes_kept() const;  // by nothing but the prefix tree
  int64_t bytes_reserved() const;
  int64_t n_positions_free() const;  // counting those that are only kept

 private:
  int64_t missing_blocks(size_t pool, const Growth& growth) const;
  bool has_room(std::span<const Growth> growth) const;
  int32_t usable_prefix(const PrefixTree::Match& match, size_t n_tokens) const;
  PrefixTree::Match find(const Pages& pages, std::span<const int32_t> tokens,
                         const PrefixScope& scope);
  bool recall(const Pages& pages, std::span<const int32_t> tokens, const PrefixScope& scope,
              int32_t known);
  bool window_is_there(const PrefixTree::Match& match, int32_t length, size_t pool) const;
  void share_path(Pages& pages, const PrefixTree::Match& match, int32_t length);
  void copy_part(Pages& pages, PrefixNode& part, int32_t n);
  void settle(Pages& pages);
  void settle_block(Pages& pages);
  void slide(Pages& pages);
  void check_truncation(const Pages& pages, int32_t length) const;
  void own_last_block(Pages& pages, int32_t length);
  bool make_room(size_t pool);
  void limit_kept();
  void grow_tables(Pages& pages, int32_t length) const;
  void set_block(Pages& pages, size_t pool, size_t index, int32_t block) const;
  void drop_block(Pages& pages, size_t pool, size_t index);

  std::vector<KvLayer> layers_;
  std::vector<KvPool> pools_;
  PrefixTree tree_;
  std::unique_ptr<PrefixRecall> recall_;  // null: nothing is on disk
  int64_t max_kept_bytes_ = 0;
  std::map<SequenceId, Pages> sequences_;
};

}  // namespace strata::inference
