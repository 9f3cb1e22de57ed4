// Which token sequences the key-value cache still holds, and in which blocks: a radix tree for each
// scope, whose edges are blocks of kBlockPositions tokens; only a leaf may hold fewer. What nobody
// uses is given up least recently used first.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "inference/kv_pool.h"

namespace strata::inference {

// Whose tokens may share what is computed of them. Long texts (Sequences::long_text) have other
// keys than short ones with the same beginning, and where bases grow, than those of another length.
struct PrefixScope {
  uint64_t id = 0;
  int32_t long_text = 0;

  auto operator<=>(const PrefixScope&) const = default;
};

struct PrefixNode {
  PrefixNode* parent = nullptr;
  std::vector<int32_t> tokens;  // 1 to kBlockPositions; none at the root
  std::vector<int32_t> blocks;  // per pool; -1: a window has given it up
  std::vector<std::unique_ptr<PrefixNode>> children;
  int32_t n_users = 0;    // sequences whose beginning goes through this node
  uint64_t last_use = 0;  // of a parent never before that of a child

  bool full() const { return tokens.size() == static_cast<size_t>(kBlockPositions); }
};

class PrefixTree {
 public:
  // The pools outlive the tree; its blocks are kept in them.
  explicit PrefixTree(std::vector<KvPool>& pools);

  // The root of a scope's tree. It lives as long as the whole.
  PrefixNode* root(const PrefixScope& scope) { return &roots_[scope]; }

  struct Match {
    std::vector<PrefixNode*> path;  // full nodes from the root's child on
    PrefixNode* part = nullptr;     // the node whose first n_part tokens follow
    int32_t n_part = 0;
  };
  // The longest beginning of `tokens` below a root.
  static Match find(PrefixNode* root, std::span<const int32_t> tokens);
  // The child of `parent` that begins with all of these tokens; null: there is none.
  static PrefixNode* covering(const PrefixNode* parent, std::span<const int32_t> tokens);
  // A child of `parent` for these tokens and blocks, which have users. A child
  // that has them already is returned; it takes the blocks of pools where it has none.
  PrefixNode* insert(PrefixNode* parent, std::span<const int32_t> tokens,
                     std::span<const int32_t> blocks);
  void add_user(PrefixNode* node);
  void drop_user(PrefixNode* node) { --node->n_users; }
  // A leaf that has no users but its one caller: its blocks are kept no longer.
  void take_out(PrefixNode* leaf);

  // Frees the least recently used block of the pool that only the tree keeps. False: there is none.
  bool evict_from(size_t pool);
  // The same over all pools. False: nothing is kept that is not used.
  bool evict_any();

  // All nodes of short texts, the latest used first, none before its parent.
  struct Listed {
    uint64_t scope = 0;  // its id
    const PrefixNode* node = nullptr;
  };
  std::vector<Listed> newest_first();

 private:
  template <typename Visit>
  void for_each(const Visit& visit);
  PrefixNode* oldest_leaf();
  void give_up(PrefixNode* node, size_t pool);
  void drop_covered(PrefixNode* parent, std::span<const int32_t> tokens);

  std::vector<KvPool>& pools_;
  std::map<PrefixScope, PrefixNode> roots_;
  uint64_t clock_ = 0;
};

}  // namespace strata::inference
