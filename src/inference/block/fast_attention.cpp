#include "inference/block/fast_attention.h"

namespace strata::inference {
namespace {

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

// Nothing outside its section is within as many positions of a query.
KvLayer kv_layer(const models::Attention& attention, tensor::KvFormat kv) {
  return {.n_kv_heads = attention.n_kv_heads,
          .shape = {.head_dim = attention.head_dim, .format = kv},
          .window = attention.section > 0 ? attention.section : attention.window};
}

FastAttention::FastAttention(const models::Attention& attention, size_t cache_layer,
                             tensor::KvFormat kv, Packer& packer, Step& step)
    : packed_(attention, packer, step),
      shape_(kv_layer(attention, kv).shape),
      cache_layer_(cache_layer),
      sinks_(packer.vector(attention.sinks)),
      input_(step.inputs.add(packed_.qkv.matrix)),
      mixed_input_(step.inputs.add(packed_.output.matrix)),
      distances_(step.distances.add(attention.distance_bias, true, attention.n_heads,
                                    packer.vector(attention.distance_bias.weight))),
      plan_(step.attention.add(setup(step))) {}

void FastAttention::take_input(const PackedNorm& norm, const float* stream, Step& step,
                               int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

tensor::AttentionSetup FastAttention::setup(const Step& step) const {
  return {.n_heads = packed_.attention.n_heads,
          .n_kv_heads = packed_.attention.n_kv_heads,
          .kv = shape_,
          .scale = packed_.attention.scale,
          .soft_cap = packed_.attention.soft_cap,
          .window = packed_.attention.window,
          .section = packed_.attention.section,
          .bias = step.distances.data(distances_),
          .bias_stride = step.distances.stride(distances_),
          .sinks = or_null(sinks_),
          .q = step.wide.data(),
          .q_stride = wide_width(),
          .out = step.mixed.data(),
          .out_stride = mixed_width()};
}

void FastAttention::prepare(Step& step) {
  step.set_spans(cache_layer_, spans_);
  step.distances.reach(distances_, step.n_positions());
  step.attention.plan(plan_, setup(step), spans_);
}

// The projections of this thread's rows made ready; keys and values to the cache.
void FastAttention::prepare_rows(Step& step, int thread) const {
  const models::Attention& attention = packed_.attention;
  const int64_t head_dim = attention.head_dim;
  const Share share = step.paired_rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    float* q = step.wide.data() + row * wide_width();
    packed_.prepare_row(step, row, q);
    if (!keeps()) continue;
    const float* k = q + packed_.queries_width();
    const float* v = k + packed_.keys_width();
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const int32_t page = position / shape_.page_positions();
    const int32_t slot = position % shape_.page_positions();
    for (int32_t head = 0; head < attention.n_kv_heads; ++head) {
      tensor::write_kv(shape_, span->pages->page(cache_layer_, head, page), slot,
                       k + head * head_dim, v + head * head_dim);
    }
  }
}

void FastAttention::run(Step& step, int thread) {
  Team& team = step.team;
  tensor::AttentionStep& attend = step.attention.at(plan_);
  const int n_threads = team.size();
  tensor::matmul_share(packed_.qkv.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, n_threads);
  if (thread == 0) attend.set(setup(step), spans_);
  team.barrier();
  prepare_rows(step, thread);
  team.barrier();
  attend.run(thread, n_threads);
  team.barrier();
  attend.finish(thread, n_threads);
  team.barrier();
  run_output(packed_.output, mixed_input_, step.mixed.data(), mixed_width(), step, thread);
}

}  // namespace strata::inference
