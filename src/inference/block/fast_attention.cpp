#include "inference/block/fast_attention.h"

#include <algorithm>
#include <array>

namespace strata::inference {
namespace {

// A thread's rows, moved so that positions 2i and 2i + 1 of a sequence, which lie side by side
// in the cache, are written by one thread.
Share paired_rows(const Step& step, int thread) {
  Share share = step.rows_of(thread);
  const auto follows = [&](int64_t row) {
    if (row <= 0 || row >= step.n_rows()) return false;
    const Row& own = step.rows[static_cast<size_t>(row)];
    return own.position % 2 == 1 &&
           step.rows[static_cast<size_t>(row - 1)].sequence == own.sequence;
  };
  if (follows(share.begin)) ++share.begin;
  if (follows(share.end)) ++share.end;
  return share;
}

}  // namespace

KvLayer kv_layer(const models::Attention& attention, tensor::KvFormat kv) {
  return {.n_kv_heads = attention.n_kv_heads,
          .shape = {.head_dim = attention.head_dim, .format = kv},
          .window = attention.window};
}

FastAttention::FastAttention(const models::Attention& attention, size_t cache_layer,
                             tensor::KvFormat kv, Packer& packer, Step& step)
    : attention_(attention),
      shape_(kv_layer(attention, kv).shape),
      cache_layer_(cache_layer),
      qkv_(packer.linear(std::array{attention.q, attention.k, attention.v})),
      output_(packer.linear(std::array{attention.o})),
      q_norm_(packer.norm(attention.q_norm)),
      k_norm_(packer.norm(attention.k_norm)),
      input_(step.inputs.add(qkv_.matrix)),
      mixed_input_(step.inputs.add(output_.matrix)),
      angles_(step.angles.add(
          RopeAngles(attention.rope, packer.vector(attention.rope.frequency_divisors)))),
      plan_(step.attention.add(setup(step))) {}

void FastAttention::take_input(const PackedNorm& norm, const float* stream, Step& step,
                               int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

int64_t FastAttention::weight_bytes() const {
  return static_cast<int64_t>(qkv_.matrix.bytes() + output_.matrix.bytes());
}

tensor::AttentionSetup FastAttention::setup(const Step& step) const {
  return {.n_heads = attention_.n_heads,
          .n_kv_heads = attention_.n_kv_heads,
          .kv = shape_,
          .scale = attention_.scale,
          .soft_cap = attention_.soft_cap,
          .window = attention_.window,
          .q = step.wide.data(),
          .q_stride = wide_width(),
          .out = step.mixed.data(),
          .out_stride = mixed_width()};
}

void FastAttention::prepare(Step& step) {
  step.set_spans(cache_layer_, spans_);
  step.attention.plan(plan_, setup(step), spans_);
}

void FastAttention::rotate(const Step& step, int64_t row, float* head) const {
  const auto& kernels = tensor::kernels();
  const auto rotate = attention_.rope.kind == models::RopeKind::adjacent ? kernels.rope_adjacent
                                                                         : kernels.rope_halves;
  rotate(step.angles.cosines(angles_, row), step.angles.sines(angles_, row),
         attention_.rope.n_dims / 2, head);
}

// Bias, QK-norm and RoPE on the projections of this thread's rows; keys and values to the cache.
void FastAttention::prepare_rows(Step& step, int thread) const {
  const int64_t head_dim = attention_.head_dim;
  const bool rotated = attention_.rope.kind != models::RopeKind::none;
  const auto prepare = [&](int64_t row, const PackedNorm& norm, int32_t n_heads, float* heads) {
    const int64_t width = n_heads * head_dim;
    if (norm.kind != tensor::NormKind::none) {
      const int64_t norm_width = attention_.norms_all_heads ? width : head_dim;
      for (int64_t i = 0; i < width; i += norm_width) norm.apply(heads + i, norm_width, heads + i);
    }
    if (!rotated) return;
    for (int64_t i = 0; i < width; i += head_dim) rotate(step, row, heads + i);
  };
  const Share share = paired_rows(step, thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    float* q = step.wide.data() + row * wide_width();
    if (!qkv_.bias.empty()) tensor::kernels().add(qkv_.bias.data(), wide_width(), q);
    float* k = q + mixed_width();
    prepare(row, q_norm_, attention_.n_heads, q);
    prepare(row, k_norm_, attention_.n_kv_heads, k);
    const float* v = k + attention_.n_kv_heads * head_dim;
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const int32_t page = position / shape_.page_positions();
    const int32_t slot = position % shape_.page_positions();
    for (int32_t head = 0; head < attention_.n_kv_heads; ++head) {
      tensor::write_kv(shape_, span->pages->page(cache_layer_, head, page), slot,
                       k + head * head_dim, v + head * head_dim);
    }
  }
}

void FastAttention::run(Step& step, int thread) {
  Team& team = step.team;
  tensor::AttentionStep& attend = step.attention.at(plan_);
  const int n_threads = team.size();
  tensor::matmul_share(qkv_.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, n_threads);
  if (thread == 0) attend.set(setup(step), spans_);
  team.barrier();
  prepare_rows(step, thread);
  team.barrier();
  attend.run(thread, n_threads);
  team.barrier();
  attend.finish(thread, n_threads);
  team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    tensor::fill_row(step.mixed.data() + row * mixed_width(), step.inputs.at(mixed_input_), row);
  }
  team.barrier();
  tensor::matmul_share(output_.matrix, step.inputs.at(mixed_input_), step.n_rows(),
                       step.delta.data(), output_.matrix.rows(), thread, n_threads);
}

}  // namespace strata::inference
