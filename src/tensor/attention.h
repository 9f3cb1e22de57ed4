// Attention over a paged key-value cache (tensor/kv_page.h): the work of one step.
//
// The result of a query depends on its own absolute position only: keys are taken in chunks of 256
// absolute positions, each giving (max, sum, vector), merged in order. So decode, prefill in any
// pieces, any batch and any number of threads give the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/kernels.h"
#include "tensor/kv_page.h"

namespace strata::tensor {

// Rows of one sequence with consecutive positions.
struct AttentionSpan {
  int32_t first_row = 0;  // row of q and out
  int32_t n_rows = 0;
  int32_t first_position = 0;
  // [n_kv_heads][pages_stride] page pointers; entry i serves positions i * page_positions(). Pages
  // wholly before a window are not read and may be null.
  const uint16_t* const* pages = nullptr;
  int64_t pages_stride = 0;
};

// Chunks are computed whole, so that a bias is read for keys that no query sees.
constexpr int32_t kBiasAhead = 2 * kAttentionChunk;

struct AttentionSetup {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;  // divides n_heads
  KvShape kv;
  float scale = 0;
  float soft_cap = 0;   // 0: none; else cap * tanh(score / cap)
  int32_t window = 0;   // 0: all; else a key is seen while q_pos - k_pos < window
  int32_t section = 0;  // 0: all; else a key is seen while q_pos / section == k_pos / section
  // bias[h * bias_stride + s] is added to scores where a key stands s positions behind the query,
  // s = -position .. kBiasAhead. Null: nothing.
  const float* bias = nullptr;
  int64_t bias_stride = 0;
  const float* sinks = nullptr;  // [n_heads] of scores that have no value, or null
  const float* q = nullptr;      // row r, head h: q[r * q_stride + h * head_dim]
  int64_t q_stride = 0;
  float* out = nullptr;  // row r, head h: out[r * out_stride + h * kv.value_dim()]
  int64_t out_stride = 0;
};

// The attention of one layer for all rows of a step. plan() on one thread; then every thread calls
// run(thread, n_threads); barrier; then every thread finish(thread, n_threads); out is complete
// after the next barrier. Everything may be reused from layer to layer: with the same spans only
// set() is needed between layers.
class AttentionStep {
 public:
  void plan(const AttentionSetup& setup, std::span<const AttentionSpan> spans);
  // Another layer with the same shapes: new q, out, pages.
  void set(const AttentionSetup& setup, std::span<const AttentionSpan> spans);
  void run(int thread, int n_threads);
  void finish(int thread, int n_threads);

 private:
  struct Item {  // rows of a span, heads of one KV head, chunks [chunk_begin, chunk_end)
    int32_t span, row, n_rows, kv_head, head, n_heads, chunk_begin, chunk_end;
    int64_t partial;  // where its partial goes, in floats; -1: the item writes its rows itself
  };
  void add_items(int32_t span_index);
  void add_tile(const Item& tile);
  void run_item(const Item& item);
  void finish_item(const Item& item);
  int64_t partial_floats(const Item& item) const;
  int64_t head_of(const Item& item, int32_t query) const;
  float* out_of(const Item& item, int32_t query) const;
  const float* sink_of(const Item& item, int32_t query) const;

  AttentionSetup setup_;
  std::vector<AttentionSpan> spans_;
  std::vector<Item> items_;
  std::vector<Item> merges_;          // chunk_begin .. chunk_end, partial: of the first
  std::vector<int64_t> cost_before_;  // of each item and of all
  int64_t n_partial_floats_ = 0;
  Buffer partials_;
};

}  // namespace strata::tensor
