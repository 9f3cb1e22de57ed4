#include "inference/block/fast_sequence_attention.h"

namespace strata::inference {

FastSequenceAttention::FastSequenceAttention(const models::Attention& attention, Packer& packer,
                                             Step& step)
    : packed_(attention, packer, step),
      input_(step.inputs.add(packed_.qkv.matrix)),
      mixed_input_(step.inputs.add(packed_.output.matrix)),
      distances_(step.distances.add(attention.distance_bias, false, attention.n_heads,
                                    packer.vector(attention.distance_bias.weight))),
      vectors_(attention, packer) {}

void FastSequenceAttention::take_input(const PackedNorm& norm, const float* stream, Step& step,
                                       int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

void FastSequenceAttention::prepare(Step& step) {
  step.distances.reach(distances_, step.n_positions());
  vectors_.reach(step.n_positions());
  std::vector<tensor::SequenceSpan> sequences;
  for (const RowSpan& span : step.spans) sequences.push_back({span.first_row, span.n_rows});
  sequences_.plan(packed_.attention.n_kv_heads, sequences);
}

void FastSequenceAttention::run(Step& step, int thread) const {
  Team& team = step.team;
  const int n_threads = team.size();
  const tensor::PackedMatrix& qkv = packed_.qkv.matrix;
  tensor::matmul_share(qkv, step.inputs.at(input_), step.n_rows(), step.wide.data(), wide_width(),
                       thread, n_threads);
  team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    packed_.prepare_row(step, row, step.wide.data() + row * wide_width());
  }
  team.barrier();
  const float* q = step.wide.data();
  const float* k = q + packed_.queries_width();
  sequences_.run({.n_heads = packed_.attention.n_heads,
                  .n_kv_heads = packed_.attention.n_kv_heads,
                  .head_dim = packed_.attention.head_dim,
                  .scale = packed_.attention.scale,
                  .soft_cap = packed_.attention.soft_cap,
                  .reach = packed_.attention.window > 0 ? packed_.attention.window / 2 : -1,
                  .bias = step.distances.data(distances_),
                  .bias_stride = step.distances.stride(distances_),
                  .distances = vectors_.of_step(),
                  .q = q,
                  .k = k,
                  .v = k + packed_.keys_width(),
                  .stride = wide_width(),
                  .out = step.mixed.data(),
                  .out_stride = mixed_width()},
                 thread, n_threads);
  team.barrier();
  run_output(packed_.output, mixed_input_, step.mixed.data(), mixed_width(), step, thread);
}

}  // namespace strata::inference
