#include "inference/block/fast_latent_attention.h"

#include <algorithm>
#include <array>

#include "inference/block/packed_attention.h"

namespace strata::inference {
namespace {

PackedLinear first_projections(const models::LatentAttention& attention, Packer& packer) {
  const bool narrowed = attention.q_a.weight != models::kNoTensor;
  return packer.linear(std::array{narrowed ? attention.q_a : attention.q, attention.kv_a});
}

PackedLinear of_heads(std::span<const models::TensorId> matrices, Packer& packer) {
  std::vector<models::Linear> parts;
  for (const models::TensorId matrix : matrices) parts.push_back({matrix, models::kNoTensor});
  return packer.linear(parts);
}

// The inputs of all heads' matrices, a row a head.
size_t add_head_inputs(const PackedLinear& heads, int64_t n_heads, Step& step) {
  InputKinds kinds;
  kinds.include(heads.matrix);
  return step.inputs.add(heads.matrix.cols(), kinds, n_heads);
}

}  // namespace

KvLayer kv_layer(const models::LatentAttention& attention) {
  return {.n_kv_heads = 1,
          .shape = {.head_dim = attention.n_latent + attention.rope.n_dims,
                    .format = tensor::KvFormat::bf16,
                    .shared_dims = attention.n_latent}};
}

FastLatentAttention::FastLatentAttention(const models::LatentAttention& attention,
                                         size_t cache_layer, Packer& packer, Step& step)
    : op_(attention),
      first_(first_projections(attention, packer)),
      k_b_(attention.k_b_transposed ? of_heads(attention.k_b, packer)
                                    : packer.transposed(attention.k_b)),
      v_b_(of_heads(attention.v_b, packer)),
      output_(packer.linear(std::array{attention.o})),
      q_a_norm_(packer.norm(attention.q_a_norm)),
      kv_norm_(packer.norm(attention.kv_norm)),
      shape_(kv_layer(attention).shape),
      cache_layer_(cache_layer),
      input_(step.inputs.add(first_.matrix)),
      result_input_(step.inputs.add(output_.matrix)),
      angles_(step.angles.add(RopeAngles(attention.rope,
                                         packer.vector(attention.rope.frequency_divisors),
                                         packer.vector(attention.rope.long_divisors)))),
      plain_input_(add_head_inputs(k_b_, attention.n_heads, step)),
      mean_input_(add_head_inputs(v_b_, attention.n_heads, step)) {
  if (attention.q_a.weight != models::kNoTensor) {
    q_ = packer.linear(std::array{attention.q});
    narrow_input_ = step.inputs.add(q_.matrix);
  }
  plan_ = step.attention.add(setup(step));
}

void FastLatentAttention::take_input(const PackedNorm& norm, const float* stream, Step& step,
                                     int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

int64_t FastLatentAttention::weight_bytes() const {
  int64_t bytes = 0;
  for (const PackedLinear* linear : {&first_, &q_, &k_b_, &v_b_, &output_}) {
    bytes += static_cast<int64_t>(linear->matrix.bytes());
  }
  return bytes;
}

int64_t FastLatentAttention::wide_width() const {
  const int64_t before = first_.matrix.rows() + (is_narrowed() ? query_width() : 0);
  return std::max(before, v_b_.matrix.rows());
}

int64_t FastLatentAttention::mixed_width() const {
  return op_.n_heads * (key_width() + op_.n_latent);
}

float* FastLatentAttention::projections(const Step& step, int64_t row) const {
  return step.wide.data() + row * first_.matrix.rows();
}

float* FastLatentAttention::queries(const Step& step, int64_t row) const {
  if (!is_narrowed()) return projections(step, row);
  return projections(step, step.n_rows()) + row * query_width();
}

float* FastLatentAttention::means(const Step& step) const {
  return latent_queries(step) + step.n_rows() * op_.n_heads * key_width();
}

tensor::AttentionSetup FastLatentAttention::setup(const Step& step) const {
  return {.n_heads = op_.n_heads,
          .n_kv_heads = 1,
          .kv = shape_,
          .scale = op_.scale,
          .q = latent_queries(step),
          .q_stride = op_.n_heads * key_width(),
          .out = means(step),
          .out_stride = int64_t{op_.n_heads} * op_.n_latent};
}

void FastLatentAttention::prepare(Step& step) {
  step.set_spans(cache_layer_, spans_);
  step.attention.plan(plan_, setup(step), spans_);
}

void FastLatentAttention::rotate(const Step& step, int64_t row, float* part) const {
  const auto& kernels = tensor::kernels();
  const auto rotate =
      op_.rope.kind == models::RopeKind::adjacent ? kernels.rope_adjacent : kernels.rope_halves;
  rotate(step.angles.cosines(angles_, row), step.angles.sines(angles_, row), op_.rope.n_dims / 2,
         part);
}

// Of this thread's rows: latent vectors and keys to the cache; narrow queries to their input.
void FastLatentAttention::write_keys(Step& step, int thread) const {
  const Share share = step.rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    float* first = projections(step, row);
    if (!first_.bias.empty()) {
      tensor::kernels().add(first_.bias.data(), first_.matrix.rows(), first);
    }
    float* latent = first + first_.matrix.rows() - key_width();
    kv_norm_.apply(latent, op_.n_latent, latent);
    rotate(step, row, latent + op_.n_latent);
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const int32_t page = position / shape_.page_positions();
    tensor::write_kv(shape_, span->pages->page(cache_layer_, 0, page),
                     position % shape_.page_positions(), latent, nullptr);
    if (is_narrowed()) q_a_norm_.apply_into(first, step.inputs.at(narrow_input_), row);
  }
}

// Of this thread's rows: the rotated ends of queries to latent space, the rest to k_b's input.
void FastLatentAttention::prepare_queries(Step& step, int thread) const {
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* query = queries(step, row);
    if (!q_.bias.empty()) tensor::kernels().add(q_.bias.data(), query_width(), query);
    float* latent = latent_queries(step) + row * op_.n_heads * key_width();
    for (int64_t head = 0; head < op_.n_heads; ++head) {
      float* plain = query + head * head_width();
      tensor::fill_row(plain, step.inputs.at(plain_input_), head * step.n_rows() + row);
      rotate(step, row, plain + op_.plain_dim);
      std::copy_n(plain + op_.plain_dim, op_.rope.n_dims,
                  latent + head * key_width() + op_.n_latent);
    }
  }
}

// Each head's matrix with its rows of the input; results of a row stand head_stride apart.
void FastLatentAttention::multiply_heads(Step& step, const tensor::PackedMatrix& matrix,
                                         size_t input, float* out, int64_t head_stride,
                                         int thread) const {
  const int64_t rows_of_head = matrix.rows() / op_.n_heads;
  const int64_t blocks_of_head = matrix.n_row_blocks() / op_.n_heads;
  const Share share = share_of(matrix.n_row_blocks(), thread, step.team.size());
  for (int64_t begin = share.begin; begin < share.end;) {
    const int64_t head = begin / blocks_of_head;
    const int64_t end = std::min(share.end, (head + 1) * blocks_of_head);
    tensor::matmul(matrix, step.inputs.at(input), step.n_rows(),
                   out + head * (head_stride - rows_of_head), op_.n_heads * head_stride, begin, end,
                   tensor::Activation::none, head * step.n_rows());
    begin = end;
  }
}

void FastLatentAttention::attend(Step& step, int thread) {
  tensor::AttentionStep& attention = step.attention.at(plan_);
  attention.run(thread, step.team.size());
  step.team.barrier();
  attention.finish(thread, step.team.size());
}

void FastLatentAttention::run(Step& step, int thread) {
  Team& team = step.team;
  const int64_t n_rows = step.n_rows();
  tensor::matmul_share(first_.matrix, step.inputs.at(input_), n_rows, step.wide.data(),
                       first_.matrix.rows(), thread, team.size());
  if (thread == 0) step.attention.at(plan_).set(setup(step), spans_);
  team.barrier();
  write_keys(step, thread);
  if (is_narrowed()) {
    team.barrier();
    tensor::matmul_share(q_.matrix, step.inputs.at(narrow_input_), n_rows, queries(step, 0),
                         query_width(), thread, team.size());
    team.barrier();
  }
  prepare_queries(step, thread);
  team.barrier();
  multiply_heads(step, k_b_.matrix, plain_input_, latent_queries(step), key_width(), thread);
  team.barrier();
  attend(step, thread);
  team.barrier();
  const Share share = share_of(n_rows * op_.n_heads, thread, team.size());
  for (int64_t i = share.begin; i < share.end; ++i) {
    tensor::fill_row(means(step) + i * op_.n_latent, step.inputs.at(mean_input_),
                     i % op_.n_heads * n_rows + i / op_.n_heads);
  }
  team.barrier();
  multiply_heads(step, v_b_.matrix, mean_input_, step.wide.data(), op_.value_dim, thread);
  team.barrier();
  run_output(output_, result_input_, step.wide.data(), v_b_.matrix.rows(), step, thread);
}

}  // namespace strata::inference
