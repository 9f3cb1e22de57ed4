#include "inference/prefix_recall.h"

#include <algorithm>
#include <utility>

#include "inference/kv_cache.h"

namespace strata::inference {

// Keeps nodes and blocks from being given up while more are read; lets go of them in the end.
class PrefixRecall::Holding {
 public:
  Holding(std::vector<KvPool>& pools, PrefixTree& tree) : pools_(pools), tree_(tree) {}
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;
  ~Holding() {
    for (const auto& [pool, block] : blocks_) pools_[pool].drop_user(block);
    for (PrefixNode* node : nodes_) tree_.drop_user(node);
  }

  void hold(PrefixNode* node) {
    tree_.add_user(node);
    nodes_.push_back(node);
    for (size_t p = 0; p < pools_.size(); ++p) {
      if (node->blocks[p] < 0) continue;
      pools_[p].add_user(node->blocks[p]);
      blocks_.emplace_back(p, node->blocks[p]);
    }
  }
  // A new block; -1: there is no room.
  int32_t take(size_t pool) {
    if (pools_[pool].n_free() == 0 && !tree_.evict_from(pool)) return -1;
    const int32_t block = pools_[pool].take();
    blocks_.emplace_back(pool, block);
    return block;
  }

 private:
  std::vector<KvPool>& pools_;
  PrefixTree& tree_;
  std::vector<PrefixNode*> nodes_;
  std::vector<std::pair<size_t, int32_t>> blocks_;
};

PrefixRecall::PrefixRecall(PrefixFile file, std::vector<KvPool>& pools, PrefixTree& tree)
    : file_(std::move(file)), pools_(pools), tree_(tree) {}

void PrefixRecall::recall(uint64_t scope, PrefixNode* root, std::span<const int32_t> tokens) {
  const Match match = find(scope, tokens);
  Holding holding(pools_, tree_);
  PrefixNode* at = root;
  for (size_t i = 0; i < match.path.size() && at != nullptr; ++i) {
    at = read(match.path[i], i, match.length, at, holding);
  }
}

PrefixRecall::Match PrefixRecall::find(uint64_t scope, std::span<const int32_t> tokens) const {
  Match match;
  auto nodes = file_.beginnings(scope);
  while (!tokens.empty()) {
    int32_t best = -1;
    size_t n_best = 0;
    for (const int32_t index : nodes) {
      const auto& theirs = file_.index().nodes[static_cast<size_t>(index)].tokens;
      const auto end = std::ranges::mismatch(theirs, tokens);
      const auto n = static_cast<size_t>(end.in1 - theirs.begin());
      if (n <= n_best) continue;
      best = index;
      n_best = n;
    }
    if (best < 0) break;
    match.path.push_back(best);
    match.length += static_cast<int32_t>(n_best);
    if (n_best < static_cast<size_t>(kBlockPositions)) break;
    tokens = tokens.subspan(n_best);
    nodes = file_.children(best);
  }
  return match;
}

bool PrefixRecall::is_missing(const PrefixNode* known, int32_t index, size_t pool) const {
  const PrefixFileNode& node = file_.index().nodes[static_cast<size_t>(index)];
  if (!node.blocks[pool].there) return false;
  if (known == nullptr) return true;
  return known->blocks[pool] < 0 && known->tokens.size() == node.tokens.size();
}

// The tree's node for the one at `index` of the file, the nth of its path, with what is missing of
// it. Null: there is no room.
PrefixNode* PrefixRecall::read(int32_t index, size_t nth, int32_t length, PrefixNode* parent,
                               Holding& holding) {
  const auto& tokens = file_.index().nodes[static_cast<size_t>(index)].tokens;
  PrefixNode* known = PrefixTree::covering(parent, tokens);
  if (known != nullptr) holding.hold(known);
  std::vector<int32_t> blocks(pools_.size(), -1);
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (nth < first_block_kept(pools_[p].window(), length)) continue;
    if (!is_missing(known, index, p)) continue;
    blocks[p] = holding.take(p);
    if (blocks[p] < 0) return nullptr;
    file_.read_block(static_cast<size_t>(index), p, pools_[p].bytes(blocks[p]));
  }
  PrefixNode* const node = tree_.insert(parent, tokens, blocks);
  if (known == nullptr) holding.hold(node);
  return node;
}

}  // namespace strata::inference
