#include "tensor/attention.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/threads.h"
#include "core/work.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

// Queries of an item: enough to reuse each key from the cache, few enough for scores in L2.
constexpr int32_t kTileQueries = 48;

int32_t first_visible(const AttentionSetup& setup, int32_t position) {
  if (setup.section > 0) return position / setup.section * setup.section;
  return setup.window > 0 ? std::max(0, position - setup.window + 1) : 0;
}

// What one thread needs for an item.
struct Scratch {
  Buffer memory;
  float* scores = nullptr;       // [queries][chunk]
  float* vectors = nullptr;      // running and of the chunk: 2 x [queries][value dim]
  float* factors = nullptr;      // [queries][dim]
  uint16_t* q = nullptr;         // [queries][dim]
  uint16_t* unpacked = nullptr;  // scaled: [K, V][chunk][dim]; shared: [chunk][value dim]
  float maximum[2][kAttentionMaxQueries];
  float sum[2][kAttentionMaxQueries];
  int32_t first_key[kAttentionMaxQueries];
  int32_t last_key[kAttentionMaxQueries];
  const float* bias[kAttentionMaxQueries];

  void reserve(const KvShape& shape) {
    const int32_t dim = shape.padded_dim();
    const size_t score_bytes = sizeof(float) * kAttentionMaxQueries * kAttentionChunk;
    const size_t vector_bytes = sizeof(float) * kAttentionMaxQueries * static_cast<size_t>(dim);
    const size_t chunk_bytes = 2 * sizeof(uint16_t) * kAttentionChunk * static_cast<size_t>(dim);
    const size_t own_bytes = score_bytes + 3 * vector_bytes + vector_bytes / 2;
    const bool unpacks = shape.is_scaled() || shape.shared_dims > 0;
    const size_t bytes = own_bytes + (unpacks ? chunk_bytes : 0);
    if (bytes > memory.size()) memory = Buffer(bytes);
    scores = memory.as<float>();
    vectors = memory.as<float>(score_bytes);
    factors = memory.as<float>(score_bytes + 2 * vector_bytes);
    q = memory.as<uint16_t>(score_bytes + 3 * vector_bytes);
    unpacked = memory.as<uint16_t>(own_bytes);
  }
};

Scratch& scratch_for(const KvShape& shape) {
  thread_local Scratch scratch;
  scratch.reserve(shape);
  return scratch;
}

void attend(const AttentionArgs& args, const KvShape& shape) {
  const int32_t first = std::max(args.first_key[0], args.chunk_begin);
  const int32_t end =
      std::min(args.last_key[args.n_queries - 1] + 1, args.chunk_begin + kAttentionChunk);
  thread_work().kv_bytes += (end - first) * shape.position_bytes();
  ++thread_work().kernel_calls;
  kernels().attention(args);
}

// A query as the kernels take it; `rotated` is scratch for it.
void write_query(const KvShape& shape, const float* q, float* rotated, uint16_t* out) {
  const int32_t dim = shape.padded_dim();
  if (shape.is_scaled()) {
    std::fill(std::copy_n(q, shape.head_dim, rotated), rotated + dim, 0.0f);
    kernels().rotate(dim, rotated);
    kernels().to_bf16(rotated, dim, out);
    return;
  }
  kernels().to_bf16(q, shape.head_dim, out);
  std::fill(out + shape.head_dim, out + dim, uint16_t{0});
}

// The values' mean from their weighted sum, which becomes scratch. A sink is one more score of the
// sum; where it is far above the maximum, nothing is left of the values.
void write_result(const KvShape& shape, float* vector, float maximum, float sum, const float* sink,
                  float* out) {
  const float factor = 1.0f / (sink == nullptr ? sum : sum + std::exp(*sink - maximum));
  const int32_t dim = shape.padded_value_dim();
  for (int32_t i = 0; i < dim; ++i) vector[i] *= factor;
  if (shape.is_scaled()) kernels().rotate(dim, vector);
  std::copy_n(vector, shape.value_dim(), out);
}

}  // namespace

int64_t AttentionStep::partial_floats(const Item& item) const {
  const int64_t queries = int64_t{item.n_rows} * item.n_heads;
  return (queries * (setup_.kv.padded_value_dim() + 2) + 15) / 16 * 16;
}

void AttentionStep::plan(const AttentionSetup& setup, std::span<const AttentionSpan> spans) {
  CHECK(setup.n_kv_heads > 0 && setup.n_heads % setup.n_kv_heads == 0 && setup.kv.head_dim > 0 &&
        setup.kv.value_dim() <= setup.kv.head_dim);
  setup_ = setup;
  spans_.assign(spans.begin(), spans.end());
  items_.clear();
  merges_.clear();
  cost_before_.assign(1, 0);
  n_partial_floats_ = 0;
  for (size_t i = 0; i < spans.size(); ++i) add_items(static_cast<int32_t>(i));
  const auto bytes = static_cast<size_t>(n_partial_floats_) * sizeof(float);
  if (bytes > partials_.size()) partials_ = Buffer(bytes);
}

void AttentionStep::set(const AttentionSetup& setup, std::span<const AttentionSpan> spans) {
  CHECK(spans.size() == spans_.size() && setup.n_heads == setup_.n_heads &&
        setup.n_kv_heads == setup_.n_kv_heads && setup.kv == setup_.kv &&
        setup.window == setup_.window && setup.section == setup_.section);
  setup_ = setup;
  spans_.assign(spans.begin(), spans.end());
}

void AttentionStep::add_items(int32_t span_index) {
  const AttentionSpan& span = spans_[static_cast<size_t>(span_index)];
  const int32_t group = setup_.n_heads / setup_.n_kv_heads;
  const int32_t heads = std::min(group, kTileQueries);
  const int32_t rows = std::max(1, kTileQueries / heads);
  for (int32_t kv = 0; kv < setup_.n_kv_heads; ++kv) {
    for (int32_t h = 0; h < group; h += heads) {
      for (int32_t row = 0; row < span.n_rows; row += rows) {
        Item tile{span_index, row, std::min(rows, span.n_rows - row),
                  kv,         h,   std::min(heads, group - h),
                  0,          0,   -1};
        const int32_t first = first_visible(setup_, span.first_position + row);
        const int32_t last = span.first_position + row + tile.n_rows - 1;
        tile.chunk_begin = first / kAttentionChunk;
        tile.chunk_end = last / kAttentionChunk + 1;
        add_tile(tile);
      }
    }
  }
}

// A whole span in one tile is split along the chunks, so that all threads share a long context.
void AttentionStep::add_tile(const Item& tile) {
  const auto push = [&](const Item& item) {
    items_.push_back(item);
    const int64_t chunks = item.chunk_end - item.chunk_begin;
    cost_before_.push_back(cost_before_.back() +
                           chunks * (2 + int64_t{item.n_rows} * item.n_heads));
  };
  const AttentionSpan& span = spans_[static_cast<size_t>(tile.span)];
  const bool split = tile.n_rows == span.n_rows && tile.chunk_end - tile.chunk_begin > 1;
  if (!split) return push(tile);
  Item part = tile;
  part.partial = n_partial_floats_;
  merges_.push_back(part);
  for (int32_t c = tile.chunk_begin; c < tile.chunk_end; ++c) {
    part.chunk_begin = c;
    part.chunk_end = c + 1;
    part.partial = n_partial_floats_;
    push(part);
    n_partial_floats_ += partial_floats(tile);
  }
}

float* AttentionStep::out_of(const Item& item, int32_t query) const {
  const AttentionSpan& span = spans_[static_cast<size_t>(item.span)];
  const int64_t row = span.first_row + item.row + query / item.n_heads;
  return setup_.out + row * setup_.out_stride + head_of(item, query) * setup_.kv.value_dim();
}

int64_t AttentionStep::head_of(const Item& item, int32_t query) const {
  return int64_t{item.kv_head} * (setup_.n_heads / setup_.n_kv_heads) + item.head +
         query % item.n_heads;
}

const float* AttentionStep::sink_of(const Item& item, int32_t query) const {
  return setup_.sinks == nullptr ? nullptr : setup_.sinks + head_of(item, query);
}

void AttentionStep::run(int thread, int n_threads) {
  // An item belongs to the thread in whose share of the cost its middle lies.
  const int64_t total = cost_before_.back();
  for (size_t i = 0; i < items_.size(); ++i) {
    const int64_t middle = (cost_before_[i] + cost_before_[i + 1]) / 2;
    const Share share = share_of(total, thread, n_threads);
    if (middle >= share.begin && middle < share.end) run_item(items_[i]);
  }
}

void AttentionStep::run_item(const Item& item) {
  const AttentionSpan& span = spans_[static_cast<size_t>(item.span)];
  const int32_t key_dim = setup_.kv.padded_dim();
  const int32_t dim = setup_.kv.padded_value_dim();
  const int32_t n_queries = item.n_rows * item.n_heads;
  Scratch& scratch = scratch_for(setup_.kv);
  for (int32_t i = 0; i < n_queries; ++i) {
    const int64_t row = span.first_row + item.row + i / item.n_heads;
    const int64_t head = head_of(item, i);
    write_query(setup_.kv, setup_.q + row * setup_.q_stride + head * setup_.kv.head_dim,
                scratch.factors, scratch.q + int64_t{i} * key_dim);
    scratch.last_key[i] = span.first_position + item.row + i / item.n_heads;
    scratch.first_key[i] = first_visible(setup_, scratch.last_key[i]);
    if (setup_.bias != nullptr) {
      scratch.bias[i] = setup_.bias + head * setup_.bias_stride - scratch.last_key[i];
    }
  }
  AttentionArgs args;
  args.pages = span.pages + item.kv_head * span.pages_stride;
  args.format = setup_.kv.format;
  args.page_positions = setup_.kv.page_positions();
  args.bias = setup_.bias == nullptr ? nullptr : scratch.bias;
  args.head_dim = key_dim;
  args.value_dim = dim;
  args.shared_values = setup_.kv.shared_dims > 0;
  args.n_queries = n_queries;
  args.q = scratch.q;
  args.first_key = scratch.first_key;
  args.last_key = scratch.last_key;
  args.scale = setup_.scale;
  args.soft_cap = setup_.soft_cap;
  args.scores = scratch.scores;
  args.factors = scratch.factors;
  args.unpacked = scratch.unpacked;
  if (item.partial >= 0) {
    float* partial = partials_.as<float>() + item.partial;
    args.chunk_begin = item.chunk_begin * kAttentionChunk;
    args.vector = partial;
    args.max = partial + int64_t{n_queries} * dim;
    args.sum = args.max + n_queries;
    attend(args, setup_.kv);
    return;
  }
  float* vectors[2] = {scratch.vectors, scratch.vectors + int64_t{kAttentionMaxQueries} * dim};
  for (int32_t c = item.chunk_begin; c < item.chunk_end; ++c) {
    const int into = c == item.chunk_begin ? 0 : 1;
    args.chunk_begin = c * kAttentionChunk;
    args.vector = vectors[into];
    args.max = scratch.maximum[into];
    args.sum = scratch.sum[into];
    attend(args, setup_.kv);
    if (into == 0) continue;
    for (int32_t i = 0; i < n_queries; ++i) {
      kernels().merge(scratch.maximum[1][i], scratch.sum[1][i], vectors[1] + int64_t{i} * dim, dim,
                      &scratch.maximum[0][i], &scratch.sum[0][i], vectors[0] + int64_t{i} * dim);
    }
  }
  for (int32_t i = 0; i < n_queries; ++i) {
    write_result(setup_.kv, vectors[0] + int64_t{i} * dim, scratch.maximum[0][i], scratch.sum[0][i],
                 sink_of(item, i), out_of(item, i));
  }
}

void AttentionStep::finish(int thread, int n_threads) {
  const Share share = share_of(static_cast<int64_t>(merges_.size()), thread, n_threads);
  for (int64_t i = share.begin; i < share.end; ++i) finish_item(merges_[static_cast<size_t>(i)]);
}

void AttentionStep::finish_item(const Item& item) {
  const int32_t dim = setup_.kv.padded_value_dim();
  const int32_t n_queries = item.n_rows * item.n_heads;
  const int64_t stride = partial_floats(item);
  float* first = partials_.as<float>() + item.partial;
  float* maximum = first + int64_t{n_queries} * dim;
  float* sum = maximum + n_queries;
  for (int32_t c = 1; c < item.chunk_end - item.chunk_begin; ++c) {
    const float* vector2 = first + c * stride;
    const float* maximum2 = vector2 + int64_t{n_queries} * dim;
    const float* sum2 = maximum2 + n_queries;
    for (int32_t i = 0; i < n_queries; ++i) {
      kernels().merge(maximum2[i], sum2[i], vector2 + int64_t{i} * dim, dim, &maximum[i], &sum[i],
                      first + int64_t{i} * dim);
    }
  }
  for (int32_t i = 0; i < n_queries; ++i) {
    write_result(setup_.kv, first + int64_t{i} * dim, maximum[i], sum[i], sink_of(item, i),
                 out_of(item, i));
  }
}

}  // namespace strata::tensor
