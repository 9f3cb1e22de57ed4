#include "tensor/sequence_attention.h"

#include <algorithm>

#include "core/threads.h"
#include "core/work.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

constexpr int32_t kTile = 16;          // queries of a kernel call
constexpr int32_t kItemQueries = 256;  // so that threads share a long sequence; whole tiles

// What one thread needs for an item.
struct Scratch {
  Buffer memory;
  float* queries = nullptr;  // [head_dim][16]
  float* scores = nullptr;   // [keys][16]
  float* keys = nullptr;     // [keys][head_dim]
  float* values = nullptr;
  float* products = nullptr;  // [keys][16], of distances
  float* by_row = nullptr;    // of one vector with those of its distances

  void reserve(int64_t n_keys, int64_t head_dim, const SequenceDistances& distances) {
    const int64_t more = distances.any() ? kTile * n_keys + distances.n_rows : 0;
    const int64_t floats = kTile * head_dim + kTile * n_keys + 2 * n_keys * head_dim + more;
    const auto bytes = static_cast<size_t>(floats) * sizeof(float);
    if (bytes > memory.size()) memory = Buffer(bytes);
    queries = memory.as<float>();
    scores = queries + kTile * head_dim;
    keys = scores + kTile * n_keys;
    values = keys + n_keys * head_dim;
    products = values + n_keys * head_dim;
    by_row = products + kTile * n_keys;
  }
};

// The products of a tile's queries with the vectors of their distances to keys [key_begin,
// key_end), and of the keys with theirs. Sixteen lanes, zeros where there is no query.
void multiply_distances(const SequenceAttentionSetup& setup, const SequenceAttentionArgs& args,
                        int32_t head, float* by_row, float* products) {
  const SequenceDistances& distances = setup.distances;
  const int64_t dim = args.head_dim;
  const int64_t table = head * distances.n_rows * dim;
  const int32_t last_query = args.first_query + args.n_queries - 1;
  std::fill_n(products, kTile * int64_t{args.key_end - args.key_begin}, 0.0f);
  // Rows [first, last] are those of a vector's distances, one after the other.
  const auto meet = [&](const float* x, const float* rows, int32_t first, int32_t last) {
    kernels().dots(x, rows + table + first * dim, last - first + 1, dim, by_row);
    return first;
  };
  for (int32_t i = 0; distances.keys != nullptr && i < args.n_queries; ++i) {
    const int32_t query = args.first_query + i;
    const int32_t first =
        meet(args.q + i * args.q_stride, distances.keys, distances.row[query - args.key_end + 1],
             distances.row[query - args.key_begin]);
    for (int32_t key = args.key_begin; key < args.key_end; ++key) {
      products[kTile * int64_t{key - args.key_begin} + i] +=
          by_row[distances.row[query - key] - first];
    }
  }
  for (int32_t key = args.key_begin; distances.queries != nullptr && key < args.key_end; ++key) {
    const int32_t first =
        meet(args.keys + key * dim, distances.queries, distances.row[args.first_query - key],
             distances.row[last_query - key]);
    for (int32_t i = 0; i < args.n_queries; ++i) {
      products[kTile * int64_t{key - args.key_begin} + i] +=
          by_row[distances.row[args.first_query + i - key] - first];
    }
  }
}

// Rows far apart share few cache sets: side by side they are read many times.
void gather(const float* rows, int64_t stride, int64_t n, int64_t width, float* out) {
  for (int64_t i = 0; i < n; ++i) std::copy_n(rows + i * stride, width, out + i * width);
}

}  // namespace

void SequenceAttention::plan(int32_t n_kv_heads, std::span<const SequenceSpan> spans) {
  items_.clear();
  cost_before_.assign(1, 0);
  for (const SequenceSpan& span : spans) {
    for (int32_t head = 0; head < n_kv_heads; ++head) {
      for (int32_t begin = 0; begin < span.n_rows; begin += kItemQueries) {
        const int32_t end = std::min(begin + kItemQueries, span.n_rows);
        items_.push_back({span, head, begin, end});
        cost_before_.push_back(cost_before_.back() + int64_t{end - begin + 8} * span.n_rows);
      }
    }
  }
}

void SequenceAttention::run(const SequenceAttentionSetup& setup, int thread, int n_threads) const {
  // An item belongs to the thread in whose share of the cost its middle lies.
  const Share share = share_of(cost_before_.back(), thread, n_threads);
  for (size_t i = 0; i < items_.size(); ++i) {
    const int64_t middle = (cost_before_[i] + cost_before_[i + 1]) / 2;
    if (middle >= share.begin && middle < share.end) run_item(setup, items_[i]);
  }
}

void SequenceAttention::run_item(const SequenceAttentionSetup& setup, const Item& item) {
  thread_local Scratch scratch;
  const int64_t dim = setup.head_dim;
  const int32_t reach = setup.reach;
  const int32_t length = item.span.n_rows;
  const int32_t first = reach < 0 ? 0 : std::max(0, item.begin - reach);
  const int32_t last = reach < 0 ? length : std::min(length, item.end + reach);
  scratch.reserve(last - first, dim, setup.distances);
  const int64_t from = item.span.first_row + int64_t{first};
  gather(setup.k + from * setup.stride + item.kv_head * dim, setup.stride, last - first, dim,
         scratch.keys);
  gather(setup.v + from * setup.stride + item.kv_head * dim, setup.stride, last - first, dim,
         scratch.values);
  SequenceAttentionArgs args;
  args.head_dim = setup.head_dim;
  args.scale = setup.scale;
  args.soft_cap = setup.soft_cap;
  args.reach = reach;
  args.keys = scratch.keys;
  args.values = scratch.values;
  args.q_stride = setup.stride;
  args.out_stride = setup.out_stride;
  args.queries = scratch.queries;
  args.scores = scratch.scores;
  const int32_t group = setup.n_heads / setup.n_kv_heads;
  for (int32_t head = item.kv_head * group; head < (item.kv_head + 1) * group; ++head) {
    if (setup.bias != nullptr) args.bias = setup.bias + head * setup.bias_stride;
    for (int32_t q = item.begin; q < item.end; q += kTile) {
      args.n_queries = std::min(kTile, item.end - q);
      args.first_query = q - first;
      args.key_begin = reach < 0 ? 0 : std::max(first, q - reach) - first;
      args.key_end = reach < 0 ? length : std::min(last, q + args.n_queries + reach) - first;
      const int64_t row = item.span.first_row + int64_t{q};
      args.q = setup.q + row * setup.stride + head * dim;
      args.out = setup.out + row * setup.out_stride + head * dim;
      if (setup.distances.any()) {
        multiply_distances(setup, args, head, scratch.by_row, scratch.products);
        args.products = scratch.products;
      }
      ++thread_work().kernel_calls;
      kernels().sequence_attention(args);
    }
  }
}

}  // namespace strata::tensor
