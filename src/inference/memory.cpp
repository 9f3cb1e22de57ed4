#include "inference/memory.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <set>

#include "inference/block/distance_vectors.h"
#include "inference/block/fast_attention.h"
#include "inference/block/fast_cross_attention.h"
#include "inference/block/fast_latent_attention.h"
#include "inference/block/fast_state_space.h"
#include "inference/block/packed_mlp.h"
#include "inference/engine.h"
#include "inference/fast_weights.h"
#include "inference/head_screen.h"
#include "inference/kv_cache.h"
#include "inference/limits.h"
#include "models/family/weights.h"
#include "tensor/packed.h"

namespace strata::inference {
namespace {

constexpr int64_t kWorkBytes = 80 << 20;

std::optional<KvLayer> kv_layer_of(const models::Attention& attention, tensor::KvFormat kv) {
  if (!attention.causal || attention.kv_of >= 0) return std::nullopt;
  return kv_layer(attention, kv);
}
std::optional<KvLayer> kv_layer_of(const models::LatentAttention& attention, tensor::KvFormat) {
  return kv_layer(attention);
}
// Of the source, which may be as long as the text.
std::optional<KvLayer> kv_layer_of(const models::CrossAttention& attention, tensor::KvFormat kv) {
  return kv_layer(attention, kv);
}
std::optional<KvLayer> kv_layer_of(const models::StateSpace& op, tensor::KvFormat /*kv*/) {
  return kv_layer(op);
}
std::optional<KvLayer> kv_layer_of(const auto& /*op*/, tensor::KvFormat) {
  return std::nullopt;
}

// What the cache keeps of positions, of each block that has any.
template <typename F>
void for_each_cached(const models::ModelSpec& spec, tensor::KvFormat kv, const F& visit) {
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      const auto kept = std::visit([&](const auto& op) { return kv_layer_of(op, kv); }, block.op);
      if (kept) visit(*kept);
    }
  }
}

// What a sequence of so many positions holds; a window and its slack begin and end inside blocks.
int64_t blocks_held(const KvLayer& layer, int64_t positions) {
  const int64_t all = (positions + kBlockPositions - 1) / kBlockPositions;
  if (layer.window == 0) return all;
  return std::min<int64_t>(all, (layer.window + kWindowSlack) / kBlockPositions + 2);
}

// What tensors are for, since a matrix of one row looks like a vector.
struct Roles {
  std::set<models::TensorId> packed;  // the others, routers among them, are kept as floats
  std::set<models::TensorId> transposed;

  void add(const models::Mlp& mlp) {
    packed.insert({mlp.gate.weight, mlp.up.weight, mlp.down.weight});
  }
  void add(const models::Attention& a) {
    packed.insert({a.q.weight, a.k.weight, a.v.weight, a.o.weight});
  }
  void add(const models::LatentAttention& a) {
    packed.insert({a.q_a.weight, a.q.weight, a.kv_a.weight, a.o.weight});
    (a.k_b_transposed ? packed : transposed).insert(a.k_b.begin(), a.k_b.end());
    packed.insert(a.v_b.begin(), a.v_b.end());
  }
  void add(const models::CrossAttention& a) {
    packed.insert({a.q.weight, a.k.weight, a.v.weight, a.o.weight});
  }
  void add(const models::LowRank& op) { packed.insert({op.left.weight, op.right.weight}); }
  void add(const models::Streams& s) {
    packed.insert(s.open.begin(), s.open.end());
    packed.insert(s.close.begin(), s.close.end());
    packed.insert(s.side.weight);
  }
  void add(const models::StateSpace& s) { packed.insert({s.in.weight, s.out.weight}); }
  void add(const models::Projection& p) { packed.insert(p.out.weight); }
  void add(const models::Moe& moe) {
    for (const models::Mlp& expert : moe.experts) add(expert);
    if (moe.shared) add(*moe.shared);
  }
};

Roles roles_of(const models::ModelSpec& spec) {
  Roles roles;
  roles.packed.insert(spec.head.weight);
  if (spec.masks) roles.packed.insert(spec.masks->dense.weight);
  if (spec.streams) roles.add(*spec.streams);
  for (const models::Layer* layer : models::all_layers(spec)) {
    for (const models::Block& block : layer->blocks) {
      std::visit([&](const auto& op) { roles.add(op); }, block.op);
    }
    if (layer->mix) roles.packed.insert({layer->mix->gate.weight, layer->mix->project.weight});
  }
  return roles;
}

// What a row needs of each buffer of a step (fast_step.h) beyond what kWorkBytes holds for a dense
// model: hidden rows and inputs of matrices of each expert that it goes to; queries in latent
// space, their results, and both as inputs of a matrix of each head.
int64_t row_work_bytes(const models::Moe& moe, int64_t n_embd) {
  const int64_t hidden = moe.experts[0].n_hidden;
  const int64_t outputs = is_gated_apart(moe.experts[0]) ? 2 * hidden : hidden;
  return moe.n_used * (outputs * 4 + (hidden + n_embd) * 2);
}
int64_t row_work_bytes(const models::LatentAttention& a, int64_t /*n_embd*/) {
  const int64_t floats = 2 * a.n_latent + a.plain_dim + 2 * a.rope.n_dims;
  return a.n_heads * (floats * 4 + (a.n_latent + a.plain_dim) * 2);
}
int64_t row_work_bytes(const models::StateSpace& s, int64_t /*n_embd*/) {
  return (s.projected() + s.n_groups * (s.n_state + kBlockPositions) + s.inner()) * 4;
}
int64_t row_work_bytes(const auto& /*op*/, int64_t /*n_embd*/) {
  return 0;
}

// In the largest step of an engine with its default options; blocks of one kind share buffers.
int64_t step_work_bytes(const models::ModelSpec& spec) {
  const EngineOptions defaults;
  const int64_t rows = defaults.prefill_chunk + defaults.max_batch;
  std::array<int64_t, std::variant_size_v<decltype(models::Block::op)>> most{};
  for (const models::Layer& layer : spec.layers) {
    for (const models::Block& block : layer.blocks) {
      const int64_t bytes =
          std::visit([&](const auto& op) { return row_work_bytes(op, spec.n_embd); }, block.op);
      most[block.op.index()] = std::max(most[block.op.index()], rows * bytes);
    }
  }
  return std::accumulate(most.begin(), most.end(), int64_t{0});
}

// A sequence that comes whole may be as long as the context: its rows of stream, projections and
// hidden numbers, and the inputs of matrices, all as floats.
int64_t whole_sequence_bytes(const models::ModelSpec& spec) {
  if (models::is_causal(spec) && !spec.encoder) return 0;
  int64_t widest = 0;
  for (const models::Layer* layer : models::all_layers(spec)) {
    for (const models::Block& block : layer->blocks) {
      if (const auto* mlp = std::get_if<models::Mlp>(&block.op)) {
        widest = std::max<int64_t>(widest, 2 * mlp->n_hidden);
      } else if (const auto* a = std::get_if<models::Attention>(&block.op)) {
        widest = std::max(widest, int64_t{a->n_heads + 2 * a->n_kv_heads} * a->head_dim);
      } else if (const auto* cross = std::get_if<models::CrossAttention>(&block.op)) {
        widest = std::max(widest, int64_t{2} * cross->n_heads * cross->head_dim);
      }
    }
  }
  const int64_t rows = std::max(spec.n_context, kEmbeddingRows);
  return rows * (2 * widest + 5 * int64_t{spec.n_embd}) * static_cast<int64_t>(sizeof(float));
}

}  // namespace

int64_t kv_bytes_per_position(const models::ModelSpec& spec, tensor::KvFormat kv) {
  int64_t bytes = 0;
  for_each_cached(spec, kv, [&](const KvLayer& layer) {
    if (!layer.recurrent()) bytes += layer.n_kv_heads * layer.shape.position_bytes();
  });
  return bytes;
}

int64_t state_block_bytes(const models::ModelSpec& spec) {
  int64_t bytes = 0;
  for_each_cached(spec, tensor::KvFormat::bf16, [&](const KvLayer& layer) {
    if (layer.recurrent()) bytes += 2 * layer.block_words();
  });
  return bytes;
}

tensor::KvFormat kv_format_held(const models::ModelSpec& spec, tensor::KvFormat kv) {
  tensor::KvFormat held = tensor::KvFormat::bf16;
  for_each_cached(spec, kv, [&](const KvLayer& layer) {
    if (!layer.recurrent() && layer.shape.format == kv) held = kv;
  });
  return held;
}

int64_t packed_weight_bytes(const models::ModelSpec& spec, const models::ModelFile& file) {
  const Roles roles = roles_of(spec);
  int64_t bytes = 0;
  for (size_t slot = 0; slot < spec.tensors.size(); ++slot) {
    const auto id = static_cast<models::TensorId>(slot);
    const bool is_table = id == spec.token_embedding || id == spec.position_embedding ||
                          (spec.streams && id == spec.streams->table);
    // What fills in masks reads its table from the file even where it is the head, too.
    if (is_table && (id != spec.head.weight || spec.masks)) {
      bytes += static_cast<int64_t>(models::locate_weight(file, spec.tensors[slot]).size_bytes);
      if (id != spec.head.weight) continue;
    }
    const models::WeightPlace weight = models::locate_weight(file, spec.tensors[slot]);
    const auto rows = static_cast<int64_t>(weight.rows);
    const auto cols = static_cast<int64_t>(weight.cols);
    if (roles.transposed.contains(id)) {
      bytes += tensor::packed_bytes(tensor::DType::f32, cols, rows);
    } else if (!roles.packed.contains(id)) {
      bytes += rows * cols * static_cast<int64_t>(sizeof(float));
    } else if (id == spec.head.weight && is_screened(spec, weight.type())) {
      bytes += tensor::packed_in_planes_bytes(rows, cols);
    } else {
      bytes += tensor::packed_bytes(weight.type(), rows, cols, keeps_floats(spec));
    }
  }
  for (const models::Layer* layer : models::all_layers(spec)) {
    for (const models::Block& block : layer->blocks) {
      const auto* attention = std::get_if<models::Attention>(&block.op);
      if (attention != nullptr) bytes += distance_bytes(*attention);
    }
  }
  return bytes;
}

int64_t kv_bytes_of(const models::ModelSpec& spec, int64_t positions, tensor::KvFormat kv) {
  int64_t bytes = 0;
  for_each_cached(spec, kv, [&](const KvLayer& layer) {
    bytes += 2 * blocks_held(layer, positions) * layer.block_words();
  });
  return bytes;
}

MemoryNeed foretell_memory(const models::ModelSpec& spec, const models::ModelFile& file,
                           int64_t positions, tensor::KvFormat kv) {
  return {.weight_bytes = packed_weight_bytes(spec, file),
          .kv_bytes = kv_bytes_of(spec, positions, kv),
          .work_bytes = kWorkBytes + step_work_bytes(spec) + whole_sequence_bytes(spec)};
}

}  // namespace strata::inference
