#include "inference/memory.h"

#include <algorithm>
#include <set>

#include "inference/engine.h"
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

// What tensors are for, since a matrix of one row looks like a vector.
struct Roles {
  std::set<models::TensorId> packed;  // the others, routers among them, are kept as floats

  void add(const models::Mlp& mlp) {
    packed.insert({mlp.gate.weight, mlp.up.weight, mlp.down.weight});
  }
  void add(const models::Attention& a) {
    packed.insert({a.q.weight, a.k.weight, a.v.weight, a.o.weight});
  }
  void add(const models::Moe& moe) {
    for (const models::Mlp& expert : moe.experts) add(expert);
    if (moe.shared) add(*moe.shared);
  }
};

Roles roles_of(const models::ModelSpec& spec) {
  Roles roles;
  roles.packed.insert(spec.head.weight);
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      std::visit([&](const auto& op) { roles.add(op); }, block.op);
    }
  }
  return roles;
}

// Hidden rows and inputs of matrices, which a row has for each expert that it goes to, in the
// largest step of an engine with its default options.
int64_t expert_work_bytes(const models::ModelSpec& spec) {
  const EngineOptions defaults;
  const int64_t rows = defaults.prefill_chunk + defaults.max_batch;
  int64_t most = 0;
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      const auto* moe = std::get_if<models::Moe>(&block.op);
      if (moe == nullptr) continue;
      const int64_t hidden = moe->experts[0].n_hidden;
      most = std::max(most, rows * moe->n_used * (hidden * 4 + (hidden + spec.n_embd) * 2));
    }
  }
  return most;
}

}  // namespace

int64_t kv_bytes_per_position(const models::ModelSpec& spec, tensor::KvFormat kv) {
  int64_t bytes = 0;
  for_each_attention(spec,
                     [&](const auto& attention) { bytes += bytes_per_position(attention, kv); });
  return bytes;
}

int64_t packed_weight_bytes(const models::ModelSpec& spec, const models::ModelFile& file) {
  const Roles roles = roles_of(spec);
  int64_t bytes = 0;
  for (size_t slot = 0; slot < spec.tensors.size(); ++slot) {
    const auto id = static_cast<models::TensorId>(slot);
    if (id == spec.token_embedding && id != spec.head.weight) {
      bytes += static_cast<int64_t>(models::locate_weight(file, spec.tensors[slot]).size_bytes);
      continue;
    }
    const models::WeightPlace weight = models::locate_weight(file, spec.tensors[slot]);
    const auto rows = static_cast<int64_t>(weight.rows);
    const auto cols = static_cast<int64_t>(weight.cols);
    if (!roles.packed.contains(id)) {
      bytes += rows * cols * static_cast<int64_t>(sizeof(float));
    } else if (id == spec.head.weight && is_screened(spec, weight.type())) {
      bytes += tensor::packed_in_planes_bytes(rows, cols);
    } else {
      bytes += tensor::packed_bytes(weight.type(), rows, cols);
    }
  }
  return bytes;
}

MemoryNeed foretell_memory(const models::ModelSpec& spec, const models::ModelFile& file,
                           int64_t positions, tensor::KvFormat kv) {
  MemoryNeed need{.weight_bytes = packed_weight_bytes(spec, file),
                  .kv_bytes = 0,
                  .work_bytes = kWorkBytes + expert_work_bytes(spec)};
  for_each_attention(spec, [&](const auto& attention) {
    need.kv_bytes +=
        blocks_held(attention, positions) * kBlockPositions * bytes_per_position(attention, kv);
  });
  return need;
}

}  // namespace strata::inference
