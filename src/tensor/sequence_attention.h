// Attention inside whole sequences, both ways, in float32: no cache, keys and values are rows of
// the step. The result of a query depends on its own sequence only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/buffer.h"

namespace strata::tensor {

struct SequenceSpan {
  int32_t first_row = 0;
  int32_t n_rows = 0;
};

// Vectors of distances: they meet queries and keys of their own sequence: to the product of a
// query and a key that it stands s positions behind, s from -(n - 1) to n - 1 of the longest
// sequence, are added those of the query with keys[row[s]] and of the key with queries[row[s]]. A
// greater s has no smaller row.
struct SequenceDistances {
  const float* keys = nullptr;     // [n_heads][n_rows][head_dim]; null: none
  const float* queries = nullptr;  // the same
  int64_t n_rows = 0;
  const int32_t* row = nullptr;

  bool any() const { return keys != nullptr || queries != nullptr; }
};

struct SequenceAttentionSetup {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;  // divides n_heads
  int32_t head_dim = 0;
  float scale = 0;
  float soft_cap = 0;  // 0: none
  int32_t reach = -1;  // a key is seen while |q_pos - k_pos| <= reach; -1: all
  // bias[h * bias_stride + s] is added to scores where a query stands s positions behind the key;
  // of the longest sequence, and 16 more in front and behind. Null: nothing.
  const float* bias = nullptr;
  int64_t bias_stride = 0;
  SequenceDistances distances{};
  // Row r, head h: q[r * stride + h * head_dim], the same for keys, values and out.
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  int64_t stride = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
};

// plan() on one thread; then every thread run(thread, n_threads); out is complete after the next
// barrier. The plan serves all layers of a step with the same heads.
class SequenceAttention {
 public:
  void plan(int32_t n_kv_heads, std::span<const SequenceSpan> spans);
  void run(const SequenceAttentionSetup& setup, int thread, int n_threads) const;

 private:
  struct Item {  // queries [begin, end) of a sequence, the heads of one KV head
    SequenceSpan span;
    int32_t kv_head, begin, end;
  };
  static void run_item(const SequenceAttentionSetup& setup, const Item& item);

  std::vector<Item> items_;
  std::vector<int64_t> cost_before_;  // of each item and of all
};

}  // namespace strata::tensor
