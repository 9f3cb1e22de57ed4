#include "inference/kv_cache.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace strata::inference {
namespace {

// Blocks that a piece of a prompt of the usual size begins.
constexpr int64_t kRecurrentGrowth = 4;

size_t blocks_for(int64_t length) {
  return static_cast<size_t>((length + kBlockPositions - 1) / kBlockPositions);
}

std::vector<KvPool> pools_of(const std::vector<KvLayer>& layers) {
  std::vector<KvPool> pools;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    auto pool = std::find_if(pools.begin(), pools.end(),
                             [&](const KvPool& p) { return p.window() == layers[layer].window; });
    if (pool == pools.end()) pool = pools.insert(pools.end(), KvPool(layers[layer].window));
    pool->add_layer(layer, layers[layer]);
  }
  return pools;
}

}  // namespace

size_t first_block_kept(int32_t window, int32_t length) {
  if (window == 0) return 0;
  const int64_t first = int64_t{length} - window + 1 - kWindowSlack;
  return static_cast<size_t>(std::max<int64_t>(0, first)) / kBlockPositions;
}

KvCache::KvCache(std::vector<KvLayer> layers, const KvLimits& limits)
    : layers_(std::move(layers)), pools_(pools_of(layers_)), tree_(pools_) {
  int64_t bytes_of_all = 0;
  for (const KvPool& pool : pools_) bytes_of_all += pool.block_bytes();
  int64_t n_blocks = static_cast<int64_t>(blocks_for(limits.n_positions)) + kPartBlocks;
  if (limits.bytes > 0 && bytes_of_all > 0) {
    n_blocks = std::min(n_blocks, limits.bytes / bytes_of_all);
  }
  if (n_blocks < 1 || n_blocks > INT32_MAX) {
    throw Error(Code::resource_exhausted,
                fmt::format("{} bytes of cache do not hold {} positions of {} bytes", limits.bytes,
                            kBlockPositions, bytes_of_all / kBlockPositions),
                "give the cache more memory");
  }
  int64_t kept_bytes = 0;
  for (KvPool& pool : pools_) {
    const int64_t most = pool.recurrent() ? limits.n_state_blocks : n_blocks;
    pool.allocate(static_cast<int32_t>(std::min(n_blocks, most)));
    if (!pool.recurrent()) kept_bytes += pool.block_bytes();
  }
  max_kept_bytes_ = static_cast<int64_t>(blocks_for(limits.n_kept)) * kept_bytes;
}

// --- Sequences ---

int32_t KvCache::add(SequenceId sequence, std::span<const int32_t> tokens,
                     const PrefixScope& scope) {
  Pages pages;
  pages.root_ = tree_.root(scope);
  pages.blocks_.resize(pools_.size());
  pages.tables_.resize(layers_.size());
  pages.strides_.resize(layers_.size());
  int32_t length = 0;
  if (tokens.size() > 1) {
    for (auto& [id, live] : sequences_) settle(live);
    const PrefixTree::Match match = find(pages, tokens.first(tokens.size() - 1), scope);
    length = usable_prefix(match, tokens.size());
    share_path(pages, match, length);
    const int32_t n_part = length % kBlockPositions;
    if (n_part > 0) copy_part(pages, *match.part, n_part);
    length = static_cast<int32_t>(pages.tokens_.size());
  }
  sequences_.emplace(sequence, std::move(pages));
  return length;
}

// The longest beginning that is known, brought back from disk where that knows more.
PrefixTree::Match KvCache::find(const Pages& pages, std::span<const int32_t> tokens,
                                const PrefixScope& scope) {
  PrefixTree::Match match = tree_.find(pages.root_, tokens);
  if (recall(pages, tokens, scope, usable_prefix(match, tokens.size() + 1))) {
    match = tree_.find(pages.root_, tokens);
  }
  return match;
}

// How much of a match can be gone on from: of windowed layers the last window must be there.
int32_t KvCache::usable_prefix(const PrefixTree::Match& match, size_t n_tokens) const {
  const auto usable = [&](int32_t length) {
    for (size_t p = 0; p < pools_.size(); ++p) {
      if (!window_is_there(match, length, p)) return false;
    }
    return true;
  };
  auto length = static_cast<int32_t>(match.path.size()) * kBlockPositions;
  CHECK(static_cast<size_t>(length + match.n_part) < n_tokens);
  if (match.n_part > 0 && usable(length + match.n_part)) return length + match.n_part;
  while (length > 0 && !usable(length)) length -= kBlockPositions;
  return length;
}

bool KvCache::window_is_there(const PrefixTree::Match& match, int32_t length, size_t pool) const {
  for (size_t i = first_block_kept(pools_[pool].window(), length); i < blocks_for(length); ++i) {
    const PrefixNode* node = i < match.path.size() ? match.path[i] : match.part;
    if (node->blocks[pool] < 0) return false;
  }
  return true;
}

void KvCache::share_path(Pages& pages, const PrefixTree::Match& match, int32_t length) {
  grow_tables(pages, length);
  for (int32_t i = 0; i < length / kBlockPositions; ++i) {
    PrefixNode* node = match.path[static_cast<size_t>(i)];
    tree_.add_user(node);
    pages.path_.push_back(node);
    pages.tokens_.insert(pages.tokens_.end(), node->tokens.begin(), node->tokens.end());
    for (size_t p = 0; p < pools_.size(); ++p) {
      const bool seen = static_cast<size_t>(i) >= first_block_kept(pools_[p].window(), length);
      const int32_t block = seen ? node->blocks[p] : -1;
      if (block >= 0) pools_[p].add_user(block);
      pages.blocks_[p].push_back(block);
      set_block(pages, p, static_cast<size_t>(i), block);
    }
  }
}

// Goes on in the middle of another's block: the first n positions are copied. Without room for the
// copy they are computed again.
void KvCache::copy_part(Pages& pages, PrefixNode& part, int32_t n) {
  const std::vector<int32_t> sources = part.blocks;
  tree_.add_user(&part);  // as long as it is read it is not evicted
  for (size_t p = 0; p < pools_.size(); ++p) pools_[p].add_user(sources[p]);
  const bool room = [&] {
    for (size_t p = 0; p < pools_.size(); ++p) {
      if (!make_room(p)) return false;
    }
    return true;
  }();
  if (room) pages.tokens_.insert(pages.tokens_.end(), part.tokens.begin(), part.tokens.begin() + n);
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (room) {
      const int32_t block = pools_[p].take();
      pools_[p].copy_positions(sources[p], block, n);
      pages.blocks_[p].push_back(block);
      set_block(pages, p, pages.blocks_[p].size() - 1, block);
    }
    pools_[p].drop_user(sources[p]);
  }
  tree_.drop_user(&part);
}

void KvCache::remove(SequenceId sequence) {
  Pages& pages = sequences_.at(sequence);
  settle(pages);
  const size_t n_full = pages.path_.size();
  const std::span<const int32_t> rest =
      std::span(pages.tokens_).subspan(n_full * static_cast<size_t>(kBlockPositions));
  if (!rest.empty() && max_kept_bytes_ > 0) {
    std::vector<int32_t> blocks;
    for (const auto& of_pool : pages.blocks_) blocks.push_back(of_pool[n_full]);
    tree_.insert(pages.last_node(), rest, blocks);
  }
  for (size_t p = 0; p < pools_.size(); ++p) {
    for (size_t i = 0; i < pages.blocks_[p].size(); ++i) drop_block(pages, p, i);
  }
  for (PrefixNode* node : pages.path_) tree_.drop_user(node);
  sequences_.erase(sequence);
  limit_kept();
}

// --- Growth ---

int64_t KvCache::missing_blocks(size_t pool, const Growth& growth) const {
  const size_t held = sequences_.at(growth.sequence).blocks_[pool].size();
  const size_t needed = blocks_for(growth.length);
  return needed > held ? static_cast<int64_t>(needed - held) : 0;
}

bool KvCache::fits(std::span<const Growth> growth) const {
  for (size_t p = 0; p < pools_.size(); ++p) {
    int64_t missing = 0;
    for (const Growth& g : growth) {
      const int64_t most = pools_[p].recurrent() ? kRecurrentGrowth : INT64_MAX;
      missing += std::min(missing_blocks(p, g), most);
    }
    if (missing > pools_[p].n_free() + pools_[p].n_kept()) return false;
  }
  return true;
}

bool KvCache::has_room(std::span<const Growth> growth) const {
  for (size_t p = 0; p < pools_.size(); ++p) {
    int64_t missing = 0;
    for (const Growth& g : growth) missing += missing_blocks(p, g);
    if (missing > pools_[p].n_free() + pools_[p].n_kept()) return false;
  }
  return true;
}

void KvCache::reserve(std::span<const Growth> growth) {
  for (const Growth& g : growth) {
    Pages& pages = sequences_.at(g.sequence);
    settle(pages);
    slide(pages);
  }
  if (!has_room(growth)) {
    throw Error(Code::resource_exhausted,
                fmt::format("the key-value cache is full: {} positions are free, {} sequences grow",
                            n_positions_free(), growth.size()),
                "run fewer requests at once, or give the cache more memory");
  }
  for (const Growth& g : growth) {
    Pages& pages = sequences_.at(g.sequence);
    grow_tables(pages, g.length);
    for (size_t p = 0; p < pools_.size(); ++p) {
      auto& blocks = pages.blocks_[p];
      while (blocks.size() < blocks_for(g.length)) {
        CHECK(make_room(p));
        blocks.push_back(pools_[p].take());
        set_block(pages, p, blocks.size() - 1, blocks.back());
      }
    }
  }
}

bool KvCache::make_room(size_t pool) {
  return pools_[pool].n_free() > 0 || tree_.evict_from(pool);
}

void KvCache::extend(SequenceId sequence, std::span<const int32_t> tokens) {
  auto& known = sequences_.at(sequence).tokens_;
  known.insert(known.end(), tokens.begin(), tokens.end());
}

// Not at once when a block is full: what was computed on trial is taken back before.
void KvCache::settle(Pages& pages) {
  if (max_kept_bytes_ == 0) return;
  const size_t n_full = pages.tokens_.size() / static_cast<size_t>(kBlockPositions);
  while (pages.path_.size() < n_full) settle_block(pages);
}

// A block that has become full goes into the tree; where the tree has it already (the values are
// the same, bit for bit) the sequence uses that one.
void KvCache::settle_block(Pages& pages) {
  const size_t index = pages.path_.size();
  const auto width = static_cast<size_t>(kBlockPositions);
  std::vector<int32_t> own;
  for (const auto& of_pool : pages.blocks_) own.push_back(of_pool[index]);
  PrefixNode* node =
      tree_.insert(pages.last_node(), std::span(pages.tokens_).subspan(index * width, width), own);
  tree_.add_user(node);
  pages.path_.push_back(node);
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (own[p] < 0 || node->blocks[p] == own[p]) continue;
    pools_[p].add_user(node->blocks[p]);
    drop_block(pages, p, index);
    pages.blocks_[p][index] = node->blocks[p];
    set_block(pages, p, index, node->blocks[p]);
  }
}

void KvCache::slide(Pages& pages) {
  for (size_t p = 0; p < pools_.size(); ++p) {
    const auto& blocks = pages.blocks_[p];
    const size_t first =
        first_block_kept(pools_[p].window(), static_cast<int32_t>(pages.tokens_.size()));
    bool dropped = false;
    for (size_t i = std::min(first, blocks.size()); i-- > 0 && blocks[i] >= 0;) {
      drop_block(pages, p, i);
      dropped = true;
    }
    if (dropped) limit_kept();
  }
}

void KvCache::limit_kept() {
  // What recurrent layers keep is limited by their pool.
  const auto kept = [&] {
    int64_t bytes = 0;
    for (const KvPool& pool : pools_) {
      if (!pool.recurrent()) bytes += pool.n_kept() * pool.block_bytes();
    }
    return bytes;
  };
  while (kept() > max_kept_bytes_ && tree_.evict_any()) continue;
}

// --- Truncation ---

void KvCache::truncate(SequenceId sequence, int32_t length) {
  Pages& pages = sequences_.at(sequence);
  check_truncation(pages, length);
  if (length < static_cast<int32_t>(pages.path_.size()) * kBlockPositions &&
      length % kBlockPositions != 0) {
    own_last_block(pages, length);
  }
  for (size_t p = 0; p < pools_.size(); ++p) {
    auto& blocks = pages.blocks_[p];
    while (blocks.size() > blocks_for(length)) {
      drop_block(pages, p, blocks.size() - 1);
      blocks.pop_back();
    }
  }
  while (pages.path_.size() > static_cast<size_t>(length / kBlockPositions)) {
    tree_.drop_user(pages.path_.back());
    pages.path_.pop_back();
  }
  pages.tokens_.resize(std::min(pages.tokens_.size(), static_cast<size_t>(length)));
  limit_kept();
}

void KvCache::check_truncation(const Pages& pages, int32_t length) const {
  for (size_t p = 0; p < pools_.size() && length > 0; ++p) {
    const int32_t window = pools_[p].window();
    if (window == 0) continue;
    const auto index = static_cast<size_t>(std::max(0, length - window + 1) / kBlockPositions);
    if (index < pages.blocks_[p].size() && pages.blocks_[p][index] < 0) {
      throw Error(Code::failed_precondition,
                  fmt::format("cannot go back to {} positions: a window of {} has dropped what "
                              "stood there",
                              length, window),
                  "run the text again from its beginning");
    }
  }
}

// What follows will be written into a block that the tree, perhaps other sequences read: a copy.
void KvCache::own_last_block(Pages& pages, int32_t length) {
  const auto index = static_cast<size_t>(length / kBlockPositions);
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (!make_room(p)) {
      throw Error(Code::resource_exhausted,
                  "the key-value cache has no room to copy a shared block",
                  "run fewer requests at once, or give the cache more memory");
    }
  }
  for (size_t p = 0; p < pools_.size(); ++p) {
    const int32_t shared = pages.blocks_[p][index];
    if (shared < 0) continue;
    const int32_t block = pools_[p].take();
    pools_[p].copy_positions(shared, block, length % kBlockPositions);
    drop_block(pages, p, index);
    pages.blocks_[p][index] = block;
    set_block(pages, p, index, block);
  }
}

// --- Tables ---

void KvCache::grow_tables(Pages& pages, int32_t length) const {
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const KvLayer& l = layers_[layer];
    const int64_t needed = static_cast<int64_t>(blocks_for(length)) * l.pages_per_block();
    const int64_t old_stride = pages.strides_[layer];
    if (needed <= old_stride) continue;
    const int64_t stride = std::max({needed, 2 * old_stride, int64_t{16}});
    std::vector<uint16_t*> table(static_cast<size_t>(l.n_kv_heads * stride), nullptr);
    for (int32_t head = 0; head < l.n_kv_heads; ++head) {
      std::copy_n(pages.tables_[layer].begin() + head * old_stride, old_stride,
                  table.begin() + head * stride);
    }
    pages.tables_[layer] = std::move(table);
    pages.strides_[layer] = stride;
  }
}

void KvCache::drop_block(Pages& pages, size_t pool, size_t index) {
  int32_t& block = pages.blocks_[pool][index];
  if (block >= 0) pools_[pool].drop_user(block);
  block = -1;
  set_block(pages, pool, index, -1);
}

void KvCache::set_block(Pages& pages, size_t pool, size_t index, int32_t block) const {
  for (const size_t layer : pools_[pool].layers()) {
    const KvLayer& l = layers_[layer];
    const int64_t n_pages = l.pages_per_block();
    uint16_t* const first = block < 0 ? nullptr : pools_[pool].pages(block, layer);
    for (int64_t head = 0; head < l.n_kv_heads; ++head) {
      const int64_t entry = head * pages.strides_[layer] + static_cast<int64_t>(index) * n_pages;
      for (int64_t page = 0; page < n_pages; ++page) {
        pages.tables_[layer][static_cast<size_t>(entry + page)] =
            first == nullptr ? nullptr : first + (head * n_pages + page) * l.page_words();
      }
    }
  }
}

// --- Figures ---

int64_t KvCache::bytes_used() const {
  int64_t bytes = 0;
  for (const KvPool& pool : pools_) {
    bytes += (pool.n_blocks() - pool.n_free() - pool.n_kept()) * pool.block_bytes();
  }
  return bytes;
}

int64_t KvCache::bytes_kept() const {
  int64_t bytes = 0;
  for (const KvPool& pool : pools_) bytes += pool.n_kept() * pool.block_bytes();
  return bytes;
}

int64_t KvCache::bytes_reserved() const {
  int64_t bytes = 0;
  for (const KvPool& pool : pools_) bytes += pool.n_blocks() * pool.block_bytes();
  return bytes;
}

int64_t KvCache::n_positions_free() const {
  int32_t blocks = INT32_MAX;
  for (const KvPool& pool : pools_) {
    if (pool.recurrent()) continue;  // its blocks do not stay as positions are added
    blocks = std::min(blocks, pool.n_free() + pool.n_kept());
  }
  return int64_t{blocks} * kBlockPositions;
}

}  // namespace strata::inference
