#include "inference/block/fast_cross_attention.h"

#include <array>

#include "inference/block/packed_attention.h"

namespace strata::inference {
namespace {

void add_bias(const PackedLinear& linear, float* row) {
  if (!linear.bias.empty()) tensor::kernels().add(linear.bias.data(), linear.matrix.rows(), row);
}

}  // namespace

KvLayer kv_layer(const models::CrossAttention& attention, tensor::KvFormat kv) {
  return {.n_kv_heads = attention.n_heads, .shape = {.head_dim = attention.head_dim, .format = kv}};
}

FastCrossAttention::FastCrossAttention(const models::CrossAttention& attention, size_t cache_layer,
                                       tensor::KvFormat kv, Packer& packer, Step& step)
    : attention_(attention),
      query_(packer.linear(std::array{attention.q})),
      states_(packer.linear(std::array{attention.k, attention.v})),
      output_(packer.linear(std::array{attention.o})),
      shape_(kv_layer(attention, kv).shape),
      cache_layer_(cache_layer),
      input_(step.inputs.add(query_.matrix)),
      states_input_(step.inputs.add(states_.matrix)),
      mixed_input_(step.inputs.add(output_.matrix)),
      plan_(step.source_attention.add(setup(step))) {}

int64_t FastCrossAttention::weight_bytes() const {
  return static_cast<int64_t>(query_.matrix.bytes() + states_.matrix.bytes() +
                              output_.matrix.bytes());
}

void FastCrossAttention::take_input(const PackedNorm& norm, const float* stream, Step& step,
                                    int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

void FastCrossAttention::take_state(const PackedNorm& norm, const float* stream, Step& step,
                                    int64_t row) const {
  norm.apply_into(stream, step.inputs.at(states_input_), row);
}

tensor::AttentionSetup FastCrossAttention::setup(const Step& step) const {
  return {.n_heads = attention_.n_heads,
          .n_kv_heads = attention_.n_heads,
          .kv = shape_,
          .scale = attention_.scale,
          .q = step.wide.data(),
          .q_stride = query_.matrix.rows(),
          .out = step.mixed.data(),
          .out_stride = mixed_width()};
}

// Every row is a span of its own that stands at the source's last position: it sees all of it.
void FastCrossAttention::prepare(Step& step) {
  spans_.clear();
  for (const RowSpan& span : step.spans) {
    for (int32_t row = span.first_row; row < span.first_row + span.n_rows; ++row) {
      spans_.push_back({.first_row = row,
                        .n_rows = 1,
                        .first_position = span.n_source - 1,
                        .pages = span.source->table(cache_layer_),
                        .pages_stride = span.source->stride(cache_layer_)});
    }
  }
  step.source_attention.plan(plan_, setup(step), spans_);
}

void FastCrossAttention::run(Step& step, int thread) {
  Team& team = step.team;
  tensor::AttentionStep& attend = step.source_attention.at(plan_);
  const int n_threads = team.size();
  tensor::matmul_share(query_.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       query_.matrix.rows(), thread, n_threads);
  if (thread == 0) attend.set(setup(step), spans_);
  team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    add_bias(query_, step.wide.data() + row * query_.matrix.rows());
  }
  team.barrier();
  attend.run(thread, n_threads);
  team.barrier();
  attend.finish(thread, n_threads);
  team.barrier();
  run_output(output_, mixed_input_, step.mixed.data(), mixed_width(), step, thread);
}

void FastCrossAttention::read_states(Step& step, int thread) const {
  Team& team = step.team;
  const int64_t width = states_.matrix.rows();
  tensor::matmul_share(states_.matrix, step.inputs.at(states_input_), step.n_rows(),
                       step.wide.data(), width, thread, team.size());
  team.barrier();
  const Share share = step.paired_rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    float* keys = step.wide.data() + row * width;
    add_bias(states_, keys);
    const float* values = keys + width / 2;
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const int32_t page = position / shape_.page_positions();
    const int32_t slot = position % shape_.page_positions();
    for (int32_t head = 0; head < attention_.n_heads; ++head) {
      const int64_t at = int64_t{head} * attention_.head_dim;
      tensor::write_kv(shape_, span->source->page(cache_layer_, head, page), slot, keys + at,
                       values + at);
    }
  }
  team.barrier();
}

}  // namespace strata::inference
