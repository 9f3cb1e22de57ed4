// The blocks of the key-value cache that layers with one window share: their memory, and who holds
// them. A block is held by the sequences that read it and may be kept beyond them by the prefix
// tree; it is free when nobody does either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/kv_page.h"

namespace strata::inference {

// A multiple of every page size.
constexpr int32_t kBlockPositions = 128;

// What a layer keeps of a block: pages of keys and values of each KV head; or, of a recurrent
// layer, one page with its state before the block's first position and what it needs of each
// position.

struct KvLayer {
  int32_t n_kv_heads = 0;
  tensor::KvShape shape;
  int32_t window = 0;       // 0: all
  int64_t state_words = 0;  // of a recurrent layer's page

  bool recurrent() const { return state_words > 0; }
  int64_t pages_per_block() const {
    return recurrent() ? 1 : kBlockPositions / shape.page_positions();
  }
  int64_t page_words() const { return recurrent() ? state_words : shape.page_words(); }
  int64_t block_words() const { return n_kv_heads * pages_per_block() * page_words(); }
};

class KvPool {
 public:
  explicit KvPool(int32_t window) : window_(window) {}
  // Before allocate(); `layer` is the caller's number for it.
  void add_layer(size_t layer, const KvLayer& shape);
  void allocate(int32_t n_blocks);

  int32_t window() const { return window_; }
  bool recurrent() const;  // whether any of its layers is
  int64_t block_bytes() const { return block_words_ * 2; }
  int32_t n_blocks() const { return static_cast<int32_t>(users_.size()); }
  int32_t n_free() const { return n_free_; }
  int32_t n_kept() const { return n_kept_; }  // by the tree only

  // A zeroed block with one user. Those with low numbers go first: what was never used is not
  // resident. Precondition: n_free() > 0.
  int32_t take();
  void add_user(int32_t block);
  void drop_user(int32_t block);
  int32_t users(int32_t block) const { return users_[static_cast<size_t>(block)]; }
  void keep(int32_t block);
  void forget(int32_t block);

  // All of a block, as files keep it (block_bytes()).
  std::span<std::byte> bytes(int32_t block) const;

  std::vector<size_t> layers() const;
  // Page 0 of KV head 0 of a layer in a block; pages of a head stand in runs, then the next head's.
  uint16_t* pages(int32_t block, size_t layer) const;
  // The first n positions of `from`, whose other positions are not read; `to` is zeroed.
  void copy_positions(int32_t from, int32_t to, int32_t n) const;

 private:
  struct Placed {
    size_t layer = 0;
    KvLayer shape;
    int64_t offset = 0;  // in a block, words of 16 bits
  };
  void free_if_unheld(int32_t block);

  int32_t window_ = 0;
  std::vector<Placed> layers_;
  int64_t block_words_ = 0;
  std::vector<int32_t> users_;
  std::vector<uint8_t> kept_;
  int32_t n_free_ = 0;
  int32_t n_kept_ = 0;
  int32_t first_free_ = 0;  // no free block is below
  int32_t n_touched_ = 0;   // blocks from here on were never taken: still zero
  tensor::Buffer memory_;
};

}  // namespace strata::inference
