#include "inference/kv_pool.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/check.h"

namespace strata::inference {

void KvPool::add_layer(size_t layer, const KvLayer& shape) {
  CHECK(shape.recurrent() || kBlockPositions % shape.shape.page_positions() == 0);
  layers_.push_back({layer, shape, block_words_});
  block_words_ += shape.block_words();
}

bool KvPool::recurrent() const {
  return std::ranges::any_of(layers_, [](const Placed& p) { return p.shape.recurrent(); });
}

void KvPool::allocate(int32_t n_blocks) {
  users_.resize(static_cast<size_t>(n_blocks));
  kept_.resize(static_cast<size_t>(n_blocks));
  n_free_ = n_blocks;
  memory_ = tensor::Buffer(checked_mul(static_cast<uint64_t>(n_blocks),
                                       static_cast<uint64_t>(block_bytes()), "key-value cache"));
}

int32_t KvPool::take() {
  CHECK(n_free_ > 0);
  int32_t block = first_free_;
  while (users_[static_cast<size_t>(block)] > 0 || kept_[static_cast<size_t>(block)] != 0) ++block;
  users_[static_cast<size_t>(block)] = 1;
  first_free_ = block + 1;
  --n_free_;
  // The kernels multiply what is not written yet by 0, and a NaN that another sequence left would
  // stay one.
  uint16_t* const memory = memory_.as<uint16_t>() + block * block_words_;
  if (block < n_touched_) std::fill_n(memory, block_words_, uint16_t{0});
  n_touched_ = std::max(n_touched_, block + 1);
  return block;
}

void KvPool::add_user(int32_t block) {
  const auto i = static_cast<size_t>(block);
  CHECK(users_[i] > 0 || kept_[i] != 0);
  if (users_[i]++ == 0) --n_kept_;
}

void KvPool::drop_user(int32_t block) {
  const auto i = static_cast<size_t>(block);
  CHECK(users_[i] > 0);
  if (--users_[i] == 0 && kept_[i] != 0) ++n_kept_;
  free_if_unheld(block);
}

void KvPool::keep(int32_t block) {
  const auto i = static_cast<size_t>(block);
  CHECK(users_[i] > 0 && kept_[i] == 0);
  kept_[i] = 1;
}

void KvPool::forget(int32_t block) {
  const auto i = static_cast<size_t>(block);
  CHECK(kept_[i] != 0);
  kept_[i] = 0;
  if (users_[i] == 0) --n_kept_;
  free_if_unheld(block);
}

void KvPool::free_if_unheld(int32_t block) {
  const auto i = static_cast<size_t>(block);
  if (users_[i] > 0 || kept_[i] != 0) return;
  ++n_free_;
  first_free_ = std::min(first_free_, block);
}

std::span<std::byte> KvPool::bytes(int32_t block) const {
  return std::as_writable_bytes(
      std::span(memory_.as<uint16_t>() + block * block_words_, static_cast<size_t>(block_words_)));
}

std::vector<size_t> KvPool::layers() const {
  std::vector<size_t> result;
  for (const Placed& placed : layers_) result.push_back(placed.layer);
  return result;
}

uint16_t* KvPool::pages(int32_t block, size_t layer) const {
  const auto placed = std::find_if(layers_.begin(), layers_.end(),
                                   [&](const Placed& p) { return p.layer == layer; });
  CHECK(placed != layers_.end());
  return memory_.as<uint16_t>() + block * block_words_ + placed->offset;
}

void KvPool::copy_positions(int32_t from, int32_t to, int32_t n) const {
  for (const Placed& placed : layers_) {
    if (placed.shape.recurrent()) {  // what stands behind the n-th is not read
      std::copy_n(pages(from, placed.layer), placed.shape.state_words, pages(to, placed.layer));
      continue;
    }
    const tensor::KvShape& shape = placed.shape.shape;
    const uint16_t* source = pages(from, placed.layer);
    uint16_t* target = pages(to, placed.layer);
    const int64_t n_pages = placed.shape.pages_per_block();
    for (int64_t page = 0; page < placed.shape.n_kv_heads * n_pages; ++page) {
      const auto first = static_cast<int32_t>(page % n_pages) * shape.page_positions();
      tensor::copy_kv(shape, source + page * shape.page_words(), n - first,
                      target + page * shape.page_words());
    }
  }
}

}  // namespace strata::inference
