#include "inference/kv_cache.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/check.h"
#include "core/error.h"

namespace strata::inference {
namespace {

size_t blocks_for(int32_t length) {
  return (static_cast<size_t>(length) + kBlockPositions - 1) / kBlockPositions;
}

}  // namespace

KvCache::KvCache(std::vector<KvLayer> layers, int64_t n_positions, int64_t bytes_limit)
    : layers_(std::move(layers)) {
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const KvLayer& l = layers_[layer];
    CHECK(kBlockPositions % l.shape.page_positions() == 0);
    auto pool = std::find_if(pools_.begin(), pools_.end(),
                             [&](const Pool& p) { return p.window == l.window; });
    if (pool == pools_.end()) {
      pool = pools_.emplace(pools_.end());
      pool->window = l.window;
    }
    pool->layers.push_back(layer);
    pool->offsets.push_back(pool->block_elements);
    pool->block_elements +=
        l.n_kv_heads * (kBlockPositions / l.shape.page_positions()) * l.shape.page_elements();
  }
  int64_t bytes_of_all = 0;
  for (const Pool& pool : pools_) bytes_of_all += pool.block_elements * 2;
  int64_t n_blocks = (n_positions + kBlockPositions - 1) / kBlockPositions + kPartBlocks;
  if (bytes_limit > 0 && bytes_of_all > 0) {
    n_blocks = std::min(n_blocks, bytes_limit / bytes_of_all);
  }
  if (n_blocks < 1 || n_blocks > INT32_MAX) {
    throw Error(Code::resource_exhausted,
                fmt::format("{} bytes of cache do not hold {} positions of {} bytes", bytes_limit,
                            kBlockPositions, bytes_of_all / kBlockPositions),
                "give the cache more memory");
  }
  for (Pool& pool : pools_) {
    pool.n_blocks = pool.n_free = static_cast<int32_t>(n_blocks);
    pool.taken.resize(static_cast<size_t>(n_blocks));
    pool.memory = tensor::Buffer(checked_mul(static_cast<uint64_t>(n_blocks),
                                             static_cast<uint64_t>(pool.block_elements) * 2,
                                             "key-value cache"));
  }
}

void KvCache::add(SequenceId sequence) {
  Pages pages;
  pages.blocks_.resize(pools_.size());
  pages.tables_.resize(layers_.size());
  pages.strides_.resize(layers_.size());
  sequences_.emplace(sequence, std::move(pages));
}

void KvCache::remove(SequenceId sequence) {
  Pages& pages = sequences_.at(sequence);
  for (size_t p = 0; p < pools_.size(); ++p) {
    for (size_t i = 0; i < pages.blocks_[p].size(); ++i) free_block(p, pages, i);
  }
  sequences_.erase(sequence);
}

int64_t KvCache::missing_blocks(size_t pool, std::span<const Growth> growth) const {
  int64_t missing = 0;
  for (const Growth& g : growth) {
    const size_t held = sequences_.at(g.sequence).blocks_[pool].size();
    const size_t needed = blocks_for(g.length);
    if (needed > held) missing += static_cast<int64_t>(needed - held);
  }
  return missing;
}

bool KvCache::fits(std::span<const Growth> growth) const {
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (missing_blocks(p, growth) > pools_[p].n_free) return false;
  }
  return true;
}

void KvCache::reserve(std::span<const Growth> growth) {
  if (!fits(growth)) {
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
        blocks.push_back(-1);
        take_block(p, pages, blocks.size() - 1);
      }
    }
  }
}

void KvCache::grow_tables(Pages& pages, int32_t length) const {
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const KvLayer& l = layers_[layer];
    const auto needed =
        static_cast<int64_t>(blocks_for(length)) * (kBlockPositions / l.shape.page_positions());
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

void KvCache::take_block(size_t pool_index, Pages& pages, size_t index) {
  Pool& pool = pools_[pool_index];
  CHECK(pool.n_free > 0);
  int32_t block = pool.first_free;
  while (pool.taken[static_cast<size_t>(block)] != 0) ++block;
  pool.taken[static_cast<size_t>(block)] = 1;
  pool.first_free = block + 1;
  --pool.n_free;
  uint16_t* const memory = pool.memory.as<uint16_t>() + block * pool.block_elements;
  // The kernels multiply what is not written yet by 0, and a NaN that another sequence left would
  // stay one.
  if (block < pool.n_touched) std::fill_n(memory, pool.block_elements, uint16_t{0});
  pool.n_touched = std::max(pool.n_touched, block + 1);
  pages.blocks_[pool_index][index] = block;
  point(pool, pages, index, block);
}

void KvCache::free_block(size_t pool_index, Pages& pages, size_t index) {
  Pool& pool = pools_[pool_index];
  int32_t& block = pages.blocks_[pool_index][index];
  if (block < 0) return;
  pool.taken[static_cast<size_t>(block)] = 0;
  pool.first_free = std::min(pool.first_free, block);
  ++pool.n_free;
  block = -1;
  point(pool, pages, index, -1);
}

void KvCache::point(const Pool& pool, Pages& pages, size_t index, int32_t block) const {
  for (size_t i = 0; i < pool.layers.size(); ++i) {
    const size_t layer = pool.layers[i];
    const KvLayer& l = layers_[layer];
    const int64_t n_pages = kBlockPositions / l.shape.page_positions();
    const int64_t page_elements = l.shape.page_elements();
    uint16_t* memory = nullptr;
    if (block >= 0) {
      memory = pool.memory.as<uint16_t>() + block * pool.block_elements + pool.offsets[i];
    }
    for (int64_t head = 0; head < l.n_kv_heads; ++head) {
      for (int64_t page = 0; page < n_pages; ++page) {
        const int64_t entry = head * pages.strides_[layer] + static_cast<int64_t>(index) * n_pages;
        pages.tables_[layer][static_cast<size_t>(entry + page)] =
            memory == nullptr ? nullptr : memory + (head * n_pages + page) * page_elements;
      }
    }
  }
}

void KvCache::slide(SequenceId sequence, int32_t length) {
  Pages& pages = sequences_.at(sequence);
  for (size_t p = 0; p < pools_.size(); ++p) {
    if (pools_[p].window == 0) continue;
    const int64_t first_kept = int64_t{length} - pools_[p].window + 1 - kWindowSlack;
    auto& blocks = pages.blocks_[p];
    const int64_t n_dropped =
        std::clamp<int64_t>(first_kept / kBlockPositions, 0, static_cast<int64_t>(blocks.size()));
    for (auto i = static_cast<size_t>(n_dropped); i-- > 0 && blocks[i] >= 0;) {
      free_block(p, pages, i);
    }
  }
}

void KvCache::truncate(SequenceId sequence, int32_t length) {
  Pages& pages = sequences_.at(sequence);
  for (size_t p = 0; p < pools_.size() && length > 0; ++p) {
    if (pools_[p].window == 0) continue;
    const int32_t first_seen = std::max(0, length - pools_[p].window + 1);
    const auto& blocks = pages.blocks_[p];
    const auto index = static_cast<size_t>(first_seen / kBlockPositions);
    if (index < blocks.size() && blocks[index] < 0) {
      throw Error(Code::failed_precondition,
                  fmt::format("cannot go back to {} positions: a window of {} has dropped what "
                              "stood there",
                              length, pools_[p].window),
                  "run the text again from its beginning");
    }
  }
  for (size_t p = 0; p < pools_.size(); ++p) {
    auto& blocks = pages.blocks_[p];
    while (blocks.size() > blocks_for(length)) {
      free_block(p, pages, blocks.size() - 1);
      blocks.pop_back();
    }
  }
}

int64_t KvCache::bytes_used() const {
  int64_t bytes = 0;
  for (const Pool& pool : pools_) bytes += (pool.n_blocks - pool.n_free) * pool.block_elements * 2;
  return bytes;
}

int64_t KvCache::bytes_reserved() const {
  int64_t bytes = 0;
  for (const Pool& pool : pools_) bytes += pool.n_blocks * pool.block_elements * 2;
  return bytes;
}

int64_t KvCache::n_positions_free() const {
  int32_t blocks = INT32_MAX;
  for (const Pool& pool : pools_) blocks = std::min(blocks, pool.n_free);
  return int64_t{blocks} * kBlockPositions;
}

}  // namespace strata::inference
