#include "inference/prefix_save.h"

#include <algorithm>

#include "core/check.h"
#include "inference/limits.h"

namespace strata::inference {

PrefixSave::PrefixSave(PrefixIndex head, PrefixTree& tree, PrefixFile* old, uint64_t max_bytes)
    : old_(old), max_bytes_(max_bytes), index_(std::move(head)) {
  index_.nodes.clear();
  index_size_ = index_bytes(index_).size();
  if (old_ != nullptr) from_old_.assign(old_->index().nodes.size(), -1);
  // What does not fit ends it: whatever follows was used earlier, or hangs on what was left out.
  for (const auto& [scope, node] : tree.newest_first()) {
    if (!add_live(scope, *node)) return;
  }
  for (size_t i = 0; i < from_old_.size(); ++i) {
    if (from_old_[i] < 0 && !add_old(static_cast<int32_t>(i))) return;
  }
}

bool PrefixSave::add(PrefixFileNode node, Origin origin) {
  const uint64_t in_index = index_size_ + node_bytes(node);
  const uint64_t in_blocks = blocks_size_ + blocks_bytes(node, index_.block_bytes);
  if (index_.nodes.size() >= kMaxPrefixNodes) return false;
  if (in_index > kMaxPrefixIndexBytes || in_index + in_blocks > max_bytes_) return false;
  index_size_ = in_index;
  blocks_size_ = in_blocks;
  const auto number = static_cast<int32_t>(index_.nodes.size());
  if (origin.live != nullptr) from_live_[origin.live] = number;
  if (origin.old >= 0) from_old_[static_cast<size_t>(origin.old)] = number;
  index_.nodes.push_back(std::move(node));
  origins_.push_back(origin);
  return true;
}

// The old file's node for the same tokens behind the same beginning; -1: it has none.
int32_t PrefixSave::old_index(uint64_t scope, const PrefixNode& node) const {
  if (old_ == nullptr) return -1;
  std::span<const int32_t> candidates;
  if (node.parent->parent == nullptr) {
    candidates = old_->beginnings(scope);
  } else {
    const int32_t parent = origins_[static_cast<size_t>(from_live_.at(node.parent))].old;
    if (parent < 0) return -1;
    candidates = old_->children(parent);
  }
  const auto found = std::ranges::find_if(candidates, [&](int32_t index) {
    return old_->index().nodes[static_cast<size_t>(index)].tokens == node.tokens;
  });
  return found == candidates.end() ? -1 : *found;
}

bool PrefixSave::add_live(uint64_t scope, const PrefixNode& node) {
  const int32_t old = old_index(scope, node);
  PrefixFileNode saved;
  saved.parent = node.parent->parent == nullptr ? -1 : from_live_.at(node.parent);
  saved.scope = scope;
  saved.tokens = node.tokens;
  bool is_new = false;
  for (size_t p = 0; p < node.blocks.size(); ++p) {
    const bool here = node.blocks[p] >= 0;
    const bool there = old >= 0 && old_->index().nodes[static_cast<size_t>(old)].blocks[p].there;
    saved.blocks.push_back({.there = here || there});
    is_new |= here && !there;
  }
  if (!add(std::move(saved), {&node, old})) return false;
  is_news_ |= is_new;
  return true;
}

bool PrefixSave::add_old(int32_t index) {
  PrefixFileNode saved = old_->index().nodes[static_cast<size_t>(index)];
  if (saved.parent >= 0) saved.parent = from_old_[static_cast<size_t>(saved.parent)];
  if (is_covered(saved.parent, saved)) return true;
  return add(std::move(saved), {nullptr, index});
}

// A half-filled block whose tokens, and more, the tree has come to know.
bool PrefixSave::is_covered(int32_t parent, const PrefixFileNode& node) const {
  if (node.tokens.size() == static_cast<size_t>(kBlockPositions)) return false;
  return std::ranges::any_of(index_.nodes, [&](const PrefixFileNode& other) {
    return other.parent == parent && other.scope == node.scope &&
           other.tokens.size() > node.tokens.size() &&
           std::ranges::equal(node.tokens, std::span(other.tokens).first(node.tokens.size()));
  });
}

void PrefixSave::write(const fs::path& path, const std::vector<KvPool>& pools) {
  std::vector<std::byte> copied;
  write_prefix_file(path, index_, [&](size_t n, size_t p) -> std::span<const std::byte> {
    const auto& [live, old] = origins_[n];
    if (live != nullptr && live->blocks[p] >= 0) return pools[p].bytes(live->blocks[p]);
    CHECK(old >= 0);
    copied.resize(index_.block_bytes[p]);
    old_->read_block(static_cast<size_t>(old), p, copied);
    return copied;
  });
}

}  // namespace strata::inference
