#include "inference/fast_stack.h"

#include <algorithm>

#include "core/overloaded.h"

namespace strata::inference {

void FastStack::add(const models::Layer& layer, tensor::KvFormat kv, Packer& packer) {
  for (const models::Block& block : layer.blocks) add_block(block, kv, packer);
}

void FastStack::add_block(const models::Block& block, tensor::KvFormat kv, Packer& packer) {
  PackedNorm pre_norm = packer.norm(block.pre_norm);
  PackedNorm post_norm = packer.norm(block.post_norm);
  PackedNorm sum_norm = packer.norm(block.sum_norm);
  const auto add = [&](auto op) {
    wide_width_ = std::max(wide_width_, op.wide_width());
    mixed_width_ = std::max(mixed_width_, op.mixed_width());
    blocks_.emplace_back(FastBlock{std::move(pre_norm), std::move(op), std::move(post_norm),
                                   std::move(sum_norm), block.parallel_to_previous, block.scale,
                                   block.sum_scale});
  };
  std::visit(Overloaded{
                 [&](const models::Attention& a) {
                   if (a.causal) {
                     caches_of_attention_.push_back(
                         a.kv_of < 0 ? n_cache_layers_++
                                     : caches_of_attention_.at(static_cast<size_t>(a.kv_of)));
                     add(FastAttention(a, caches_of_attention_.back(), kv, packer, step_));
                   } else {
                     add(FastSequenceAttention(a, packer, step_));
                   }
                 },
                 [&](const models::LatentAttention& a) {
                   keeps_latent_ = true;
                   caches_of_attention_.push_back(n_cache_layers_);
                   add(FastLatentAttention(a, n_cache_layers_++, packer, step_));
                 },
                 [&](const models::CrossAttention& a) {
                   add(FastCrossAttention(a, n_source_layers_++, kv, packer, step_));
                 },
                 [&](const models::StateSpace& s) {
                   add(FastStateSpace(s, n_cache_layers_++, packer, step_));
                 },
                 [&](const models::LowRank& op) {
                   add(FastLowRank(op, packer, step_));
                   keeps_normed_ = true;
                 },
                 [&](const models::Mlp& m) { add(FastMlp(m, packer, step_)); },
                 [&](const models::Projection& p) { add(FastProjection(p, packer, step_)); },
                 [&](const models::Moe& m) {
                   add(FastMoe(m, n_embd_, packer, step_));
                   keeps_normed_ = true;
                 },
             },
             block.op);
}

void FastStack::add_mix(const models::ModelSpec& spec, size_t layer, Packer& packer) {
  FastMix mix(spec, layer, packer, step_);
  wide_width_ = std::max(wide_width_, mix.wide_width());
  mixes_.push_back(blocks_.size());
  blocks_.emplace_back(FastBlock{{}, std::move(mix), {}, {}});
}

std::vector<KvLayer> FastStack::caches() const {
  std::vector<KvLayer> layers;
  for (const FastBlock& block : blocks_) {
    std::visit(
        [&](const auto& op) {
          if constexpr (requires { op.keeps(); }) {
            if (op.keeps()) layers.push_back(op.cache());
          } else if constexpr (requires { op.cache(); }) {
            layers.push_back(op.cache());
          }
        },
        block.op);
  }
  return layers;
}

std::vector<KvLayer> FastStack::source_caches() const {
  std::vector<KvLayer> layers;
  for (const FastBlock& block : blocks_) {
    const auto* op = std::get_if<FastCrossAttention>(&block.op);
    if (op != nullptr) layers.push_back(op->source_cache());
  }
  return layers;
}

int64_t FastStack::weight_bytes() const {
  int64_t bytes = 0;
  for (const FastBlock& block : blocks_) {
    bytes += std::visit([](const auto& op) { return op.weight_bytes(); }, block.op);
  }
  return bytes;
}

std::vector<std::vector<int32_t>> FastStack::chosen_experts() const {
  std::vector<std::vector<int32_t>> chosen;
  for (const FastBlock& block : blocks_) {
    const auto* moe = std::get_if<FastMoe>(&block.op);
    if (moe != nullptr) chosen.emplace_back(moe->chosen().begin(), moe->chosen().end());
  }
  return chosen;
}

void FastStack::prepare() {
  for (FastBlock& block : blocks_) {
    std::visit([&](auto& op) { op.prepare(step_); }, block.op);
  }
}

void FastStack::take_input(int64_t row) {
  if (!mixes_.empty()) predict(0, row);
  if (!blocks_.empty()) norm_input(0, row);
}

void FastStack::run(int thread) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    std::visit([&](auto& op) { op.run(step_, thread); }, blocks_[i].op);
    step_.team.barrier();
    add_result(i, thread);
    step_.team.barrier();
  }
}

void FastStack::norm_input(size_t block, int64_t row) {
  const FastBlock& b = blocks_[block];
  std::visit([&](const auto& op) { op.take_input(b.pre_norm, stream(row), step_, row); }, b.op);
}

void FastStack::predict(size_t mix, int64_t row) {
  if (mix < mixes_.size()) std::get<FastMix>(blocks_[mixes_[mix]].op).predict(step_, row);
}

// What a layer leaves to the streams, and the next one's first input.
void FastStack::mix_result(size_t index, int64_t row) {
  std::get<FastMix>(blocks_[index].op).finish(step_, row);
  if (index + 1 == blocks_.size()) return;
  const auto mix = std::ranges::find(mixes_, index) - mixes_.begin();
  predict(static_cast<size_t>(mix) + 1, row);
  norm_input(index + 1, row);
}

// stream = sum_norm(sum_scale * (stream + scale * post_norm(delta + bias))) on this thread's rows,
// and the next block's input.
void FastStack::add_result(size_t index, int thread) {
  const FastBlock& block = blocks_[index];
  const auto& kernels = tensor::kernels();
  const bool has_next = index + 1 < blocks_.size();
  const bool next_is_parallel = has_next && blocks_[index + 1].parallel_to_previous;
  const Share share = step_.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    if (std::holds_alternative<FastMix>(block.op)) {
      mix_result(index, row);
      continue;
    }
    float* delta = step_.delta.data() + row * n_embd_;
    if (!block.output_bias().empty()) kernels.add(block.output_bias().data(), n_embd_, delta);
    if (block.post_norm.kind != tensor::NormKind::none) {
      block.post_norm.apply(delta, n_embd_, delta);
    }
    if (const auto* op = std::get_if<FastLowRank>(&block.op)) op->finish(step_, row, delta);
    if (block.scale != 1.0f) kernels.scale(block.scale, n_embd_, delta);
    if (next_is_parallel) norm_input(index + 1, row);
    kernels.add(delta, n_embd_, stream(row));
    if (block.sum_scale != 1.0f) kernels.scale(block.sum_scale, n_embd_, stream(row));
    if (block.sum_norm.kind != tensor::NormKind::none) {
      block.sum_norm.apply(stream(row), n_embd_, stream(row));
    }
    if (has_next && !next_is_parallel) norm_input(index + 1, row);
  }
}

void FastStack::read_states(const PackedNorm& norm, int thread) {
  const Share share = step_.rows_of(thread);
  for (const FastBlock& block : blocks_) {
    const auto* op = std::get_if<FastCrossAttention>(&block.op);
    if (op == nullptr) continue;
    for (int64_t row = share.begin; row < share.end; ++row) {
      op->take_state(norm, stream(row), step_, row);
    }
    step_.team.barrier();
    op->read_states(step_, thread);
  }
}

}  // namespace strata::inference
