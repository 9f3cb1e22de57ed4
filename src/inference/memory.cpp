#include "inference/memory.h"

#include <algorithm>
#include <set>

#include "inference/head_screen.h"
#include "inference/kv_cache.h"
#include "models/family/weights.h"
#include "tensor/packed.h"

namespace strata::inference {
namespace {

constexpr int64_t kWorkBytes = 80 << 20;

template <typename F>
void for_each_attention(const models::ModelSpec& spec, const F& visit) {
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      if (const auto* attention = std::get_if<models::Attention>(&block.op)) visit(*attention);
    }
  }
}

int64_t bytes_per_position(const models::Attention& attention, tensor::KvFormat kv) {
  return attention.n_kv_heads * tensor::KvShape{attention.head_dim, kv}.position_bytes();
}

// What a sequence of so many positions holds; a window and its slack begin and end inside blocks.
int64_t blocks_held(const models::Attention& attention, int64_t positions) {
  const int64_t all = (positions + kBlockPositions - 1) / kBlockPositions;
  if (attention.window == 0) return all;
  return std::min<int64_t>(all, (attention.window + kWindowSlack) / kBlockPositions + 2);
}

// Matrices that are kept as floats.
std::set<models::TensorId> routers(const models::ModelSpec& spec) {
  std::set<models::TensorId> ids;
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      if (const auto* moe = std::get_if<models::Moe>(&block.op)) ids.insert(moe->router.weight);
    }
  }
  return ids;
}

}  // namespace

int64_t kv_bytes_per_position(const models::ModelSpec& spec, tensor::KvFormat kv) {
  int64_t bytes = 0;
  for_each_attention(spec,
                     [&](const auto& attention) { bytes += bytes_per_position(attention, kv); });
  return bytes;
}

int64_t packed_weight_bytes(const models::ModelSpec& spec, const models::GgufFile& file) {
  const std::set<models::TensorId> floats = routers(spec);
  int64_t bytes = 0;
  for (size_t slot = 0; slot < spec.tensors.size(); ++slot) {
    const auto id = static_cast<models::TensorId>(slot);
    if (id == spec.token_embedding && id != spec.head.weight) {
      bytes += static_cast<int64_t>(models::find_weight(file, spec.tensors[slot]).bytes.size());
      continue;
    }
    const models::Weight weight = models::find_weight(file, spec.tensors[slot]);
    const auto rows = static_cast<int64_t>(weight.rows);
    const auto cols = static_cast<int64_t>(weight.cols);
    if (rows == 1 || floats.contains(id)) {
      bytes += rows * cols * static_cast<int64_t>(sizeof(float));
    } else if (id == spec.head.weight && is_screened(spec, weight.type)) {
      bytes += tensor::packed_in_planes_bytes(rows, cols);
    } else {
      bytes += tensor::packed_bytes(weight.type, rows, cols);
    }
  }
  return bytes;
}

MemoryNeed foretell_memory(const models::ModelSpec& spec, const models::GgufFile& file,
                           int64_t positions, tensor::KvFormat kv) {
  MemoryNeed need{
      .weight_bytes = packed_weight_bytes(spec, file), .kv_bytes = 0, .work_bytes = kWorkBytes};
  for_each_attention(spec, [&](const auto& attention) {
    need.kv_bytes +=
        blocks_held(attention, positions) * kBlockPositions * bytes_per_position(attention, kv);
  });
  return need;
}

}  // namespace strata::inference
