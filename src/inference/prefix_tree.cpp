#include "inference/prefix_tree.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/check.h"

namespace strata::inference {
namespace {

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

// Children before their parents.
template <typename Visit>
void visit_below(PrefixNode& node, const Visit& visit) {
  for (const auto& child : node.children) {
    visit_below(*child, visit);
    visit(*child);
  }
}

}  // namespace

PrefixTree::PrefixTree(std::vector<KvPool>& pools) : pools_(pools) {}

PrefixTree::Match PrefixTree::find(PrefixNode* root, std::span<const int32_t> tokens) {
  Match match;
  PrefixNode* node = root;
  while (!tokens.empty()) {
    PrefixNode* best = nullptr;
    size_t n_best = 0;
    for (const auto& child : node->children) {
      const size_t n = common_prefix(child->tokens, tokens);
      if (n <= n_best) continue;
      best = child.get();
      n_best = n;
    }
    if (best == nullptr) break;
    if (n_best < static_cast<size_t>(kBlockPositions)) {
      match.part = best;
      match.n_part = static_cast<int32_t>(n_best);
      break;
    }
    match.path.push_back(best);
    tokens = tokens.subspan(n_best);
    node = best;
  }
  return match;
}

// One with more tokens, where there is one.
PrefixNode* PrefixTree::covering(const PrefixNode* parent, std::span<const int32_t> tokens) {
  PrefixNode* found = nullptr;
  for (const auto& child : parent->children) {
    if (common_prefix(child->tokens, tokens) < tokens.size()) continue;
    if (found == nullptr || child->tokens.size() > tokens.size()) found = child.get();
  }
  return found;
}

PrefixNode* PrefixTree::insert(PrefixNode* parent, std::span<const int32_t> tokens,
                               std::span<const int32_t> blocks) {
  CHECK(!tokens.empty() && tokens.size() <= static_cast<size_t>(kBlockPositions));
  PrefixNode* node = covering(parent, tokens);
  if (node != nullptr && node->tokens.size() > tokens.size()) return node;
  if (node == nullptr) {
    drop_covered(parent, tokens);
    auto made = std::make_unique<PrefixNode>();
    made->parent = parent;
    made->tokens.assign(tokens.begin(), tokens.end());
    made->blocks.assign(pools_.size(), -1);
    node = parent->children.emplace_back(std::move(made)).get();
  }
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (node->blocks[p] >= 0 || blocks[p] < 0) continue;
    node->blocks[p] = blocks[p];
    pools_[p].keep(blocks[p]);
  }
  for (PrefixNode* n = node; n->parent != nullptr; n = n->parent) n->last_use = clock_;
  return node;
}

// Leaves that hold nothing but a beginning of these tokens.
void PrefixTree::drop_covered(PrefixNode* parent, std::span<const int32_t> tokens) {
  for (size_t i = parent->children.size(); i-- > 0;) {
    PrefixNode* child = parent->children[i].get();
    if (child->full() || child->n_users > 0) continue;
    if (common_prefix(child->tokens, tokens) == child->tokens.size()) take_out(child);
  }
}

void PrefixTree::add_user(PrefixNode* node) {
  ++node->n_users;
  node->last_use = ++clock_;
  for (PrefixNode* n = node->parent; n->parent != nullptr; n = n->parent) n->last_use = clock_;
}

void PrefixTree::take_out(PrefixNode* leaf) {
  CHECK(leaf->children.empty() && leaf->n_users <= 1);
  for (size_t p = 0; p < pools_.size(); ++p) give_up(leaf, p);
  std::erase_if(leaf->parent->children, [&](const auto& child) { return child.get() == leaf; });
}

void PrefixTree::give_up(PrefixNode* node, size_t pool) {
  int32_t& block = node->blocks[pool];
  if (block >= 0) pools_[pool].forget(block);
  block = -1;
}

template <typename Visit>
void PrefixTree::for_each(const Visit& visit) {
  for (auto& [scope, root] : roots_) visit_below(root, visit);
}

std::vector<PrefixTree::Listed> PrefixTree::newest_first() {
  std::vector<Listed> all;
  for (auto& [scope, root] : roots_) {
    if (scope.long_text > 0) continue;
    visit_below(root, [&](const PrefixNode& node) { all.push_back({scope.id, &node}); });
  }
  std::ranges::reverse(all);  // parents before their children, and it stays so
  std::ranges::stable_sort(all, std::ranges::greater{},
                           [](const Listed& each) { return each.node->last_use; });
  return all;
}

PrefixNode* PrefixTree::oldest_leaf() {
  PrefixNode* oldest = nullptr;
  for_each([&](PrefixNode& node) {
    if (!node.children.empty() || node.n_users > 0) return;
    if (oldest == nullptr || node.last_use < oldest->last_use) oldest = &node;
  });
  return oldest;
}

bool PrefixTree::evict_from(size_t pool) {
  if (pools_[pool].n_kept() == 0) return false;
  if (pools_[pool].window() == 0) {
    const int32_t before = pools_[pool].n_kept();
    while (pools_[pool].n_kept() == before) {
      PrefixNode* leaf = oldest_leaf();
      CHECK(leaf != nullptr);  // what nobody uses has no descendant that somebody uses
      take_out(leaf);
    }
    return true;
  }
  PrefixNode* oldest = nullptr;
  for_each([&](PrefixNode& node) {
    const int32_t block = node.blocks[pool];
    if (block < 0 || pools_[pool].users(block) > 0) return;
    if (oldest == nullptr || node.last_use < oldest->last_use) oldest = &node;
  });
  CHECK(oldest != nullptr);
  give_up(oldest, pool);
  // A leaf without a block is of no use to anybody.
  while (oldest->parent != nullptr && oldest->children.empty() && oldest->n_users == 0 &&
         std::ranges::all_of(oldest->blocks, [](int32_t block) { return block < 0; })) {
    PrefixNode* const leaf = std::exchange(oldest, oldest->parent);
    take_out(leaf);
  }
  return true;
}

bool PrefixTree::evict_any() {
  if (PrefixNode* leaf = oldest_leaf()) {
    take_out(leaf);
    return true;
  }
  // What is left are blocks that windows have slid past, of sequences that go on.
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (evict_from(p)) return true;
  }
  return false;
}

}  // namespace strata::inference
