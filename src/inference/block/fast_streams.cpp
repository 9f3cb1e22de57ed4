#include "inference/block/fast_streams.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "inference/block/packed_attention.h"
#include "models/family/limits.h"
#include "tensor/dequant.h"

namespace strata::inference {
namespace {

constexpr float kLeastSquare = 1e-5f;  // of a stream that is made as long as another

float mean_square(const float* x, int64_t n) {
  float sum = 0.0f;
  tensor::kernels().dots(x, x, 1, n, &sum);
  return sum / static_cast<float>(n);
}

void lengthen(const float* like, int64_t n, float* x) {
  const float length = std::sqrt(std::max(mean_square(x, n), kLeastSquare));
  tensor::kernels().scale(std::sqrt(mean_square(like, n)) / length, n, x);
}

PackedLinear opening(const models::Streams& streams, Packer& packer) {
  std::vector<models::Linear> parts;
  for (const models::TensorId id : streams.open) parts.push_back({id, models::kNoTensor});
  parts.push_back(streams.side);
  return packer.linear(parts);
}

}  // namespace

FastStreams::FastStreams(const models::ModelSpec& spec, Packer& packer, Step& step)
    : n_embd_(spec.n_embd),
      n_others_(spec.streams->n - 1),
      n_side_(spec.streams->n_side),
      n_sides_(n_side_ * static_cast<int64_t>(spec.layers.size())),
      table_scale_(spec.streams->table_scale),
      open_(opening(*spec.streams, packer)),
      table_(packer.mapped(spec.streams->table)),
      norm_(packer.norm(spec.streams->norm)),
      open_input_(step.inputs.add(open_.matrix)) {
  InputKinds kinds;
  for (const models::TensorId id : spec.streams->close) {
    const models::Linear one{id, models::kNoTensor};
    close_.push_back(packer.linear(std::array{one}));
    kinds.include(close_.back().matrix);
  }
  close_input_ = step.inputs.add(n_embd_, kinds, n_others_);
}

int64_t FastStreams::weight_bytes() const {
  size_t bytes = open_.matrix.bytes();
  for (const PackedLinear& one : close_) bytes += one.matrix.bytes();
  return static_cast<int64_t>(bytes);
}

void FastStreams::take_embedding(Step& step, int64_t row) const {
  tensor::fill_row(stream(step, row), step.inputs.at(open_input_), row);
}

void FastStreams::open(Step& step, int thread) const {
  const auto& kernels = tensor::kernels();
  tensor::matmul_share(open_.matrix, step.inputs.at(open_input_), step.n_rows(), step.opened.data(),
                       opened_width(), thread, step.team.size());
  step.team.barrier();
  const float shrink = 1.0f / std::sqrt(static_cast<float>(n_embd_));
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* others = opened(step, row);
    for (int64_t i = 0; i < n_others_; ++i) {
      lengthen(stream(step, row), n_embd_, others + i * n_embd_);
    }
    float* sides = others + n_others_ * n_embd_;
    kernels.scale(shrink, n_sides_, sides);
    for (int64_t i = 0; i < n_sides_; i += n_side_) norm_.apply(sides + i, n_side_, sides + i);
    add_table(step.rows[static_cast<size_t>(row)].token, sides);
    kernels.scale(std::sqrt(0.5f), n_sides_, sides);
  }
}

void FastStreams::add_table(int32_t token, float* sides) const {
  thread_local std::vector<float> own;
  own.resize(static_cast<size_t>(n_sides_));
  const uint64_t at =
      static_cast<uint64_t>(token) < table_.place.rows ? static_cast<uint64_t>(token) : 0;
  const size_t row_bytes = table_.bytes.size() / table_.place.rows;
  tensor::dequantize_row(table_.place.type(), table_.bytes.data() + at * row_bytes, own.data(),
                         n_sides_);
  for (int64_t i = 0; i < n_sides_; ++i) sides[i] += table_scale_ * own[static_cast<size_t>(i)];
}

void FastStreams::close(Step& step, int thread) const {
  const int64_t n_rows = step.n_rows();
  tensor::InputRows& input = step.inputs.at(close_input_);
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    for (int64_t i = 0; i < n_others_; ++i) {
      tensor::fill_row(opened(step, row) + i * n_embd_, input, i * n_rows + row);
    }
  }
  step.team.barrier();
  for (int64_t i = 0; i < n_others_; ++i) {
    tensor::matmul_share(close_[static_cast<size_t>(i)].matrix, input, n_rows,
                         step.opened.data() + i * n_embd_, opened_width(), thread, step.team.size(),
                         tensor::Activation::none, i * n_rows);
  }
  step.team.barrier();
  const auto& kernels = tensor::kernels();
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* first = stream(step, row);
    float* others = opened(step, row);
    for (int64_t i = 0; i < n_others_; ++i) lengthen(first, n_embd_, others + i * n_embd_);
    for (int64_t i = 0; i < n_others_; ++i) kernels.add(others + i * n_embd_, n_embd_, first);
    kernels.scale(1.0f / static_cast<float>(n_others_ + 1), n_embd_, first);
  }
  step.team.barrier();
}

FastMix::FastMix(const models::ModelSpec& spec, size_t layer, Packer& packer, Step& step)
    : n_(spec.streams->n),
      n_embd_(spec.n_embd),
      opened_width_((n_ - 1) * n_embd_ +
                    int64_t{spec.streams->n_side} * static_cast<int64_t>(spec.layers.size())),
      side_begin_((n_ - 1) * n_embd_ + static_cast<int64_t>(layer) * spec.streams->n_side) {
  const models::StreamMix& mix = *spec.layers[layer].mix;
  router_norm_ = packer.norm(mix.router_norm);
  norm_ = packer.norm(mix.norm);
  router_ = packer.vector(mix.router.weight);
  predict_ = packer.vector(mix.predict);
  correct_ = packer.vector(mix.correct);
  scale_ = packer.vector(mix.scale);
  gate_ = packer.linear(std::array{mix.gate});
  project_ = packer.linear(std::array{mix.project});
  gate_input_ = step.inputs.add(gate_.matrix);
  project_input_ = step.inputs.add(project_.matrix);
}

void FastMix::modes(const float* x, float* scratch, float* out) const {
  router_norm_.apply(x, n_embd_, scratch);
  tensor::kernels().dots(scratch, router_.data(), n_, n_embd_, out);
  for (int64_t i = 0; i < n_; ++i) out[i] = std::tanh(out[i] / static_cast<float>(n_embd_));
}

void FastMix::predict(Step& step, int64_t row) const {
  constexpr size_t kMost = models::kMaxStreams;
  float* first = step.stream.data() + row * n_embd_;
  float* more = others(step, row);
  std::array<float, kMost> mode, all;
  modes(first, step.delta.data() + row * n_embd_, mode.data());
  std::vector<float> factors(static_cast<size_t>(n_ * n_));
  tensor::kernels().dots(mode.data(), predict_.data(), n_ * n_, n_, factors.data());
  for (int64_t i = 0; i < n_embd_; ++i) {
    all[0] = first[i];
    for (int64_t s = 1; s < n_; ++s) all[static_cast<size_t>(s)] = more[(s - 1) * n_embd_ + i];
    for (int64_t j = 0; j < n_; ++j) {
      float sum = all[static_cast<size_t>(j)];
      for (int64_t s = 0; s < n_; ++s) {
        sum += all[static_cast<size_t>(s)] * factors[static_cast<size_t>(j * n_ + s)];
      }
      (j == 0 ? first : more + (j - 1) * n_embd_)[i] = sum;
    }
  }
  std::copy_n(first, n_embd_, step.predicted.data() + row * n_embd_);
}

void FastMix::take_input(const PackedNorm& /*none*/, const float* stream, Step& step,
                         int64_t row) const {
  constexpr size_t kMost = models::kMaxStreams;
  const auto& kernels = tensor::kernels();
  float* scratch = step.delta.data() + row * n_embd_;
  std::array<float, kMost> mode, factors;
  modes(stream, scratch, mode.data());
  kernels.dots(mode.data(), correct_.data(), n_, n_, factors.data());
  float* first = step.stream.data() + row * n_embd_;
  const float* predicted = step.predicted.data() + row * n_embd_;
  float* more = others(step, row);
  for (int64_t i = 0; i < n_embd_; ++i) {
    const float change = first[i] - predicted[i];
    first[i] = predicted[i] + change * (factors[0] + 1.0f);
    for (int64_t s = 1; s < n_; ++s) {
      more[(s - 1) * n_embd_ + i] += change * (factors[static_cast<size_t>(s)] + 1.0f);
    }
    scratch[i] = scale_.empty() ? first[i] : first[i] * scale_[static_cast<size_t>(i)];
  }
  tensor::fill_row(scratch, step.inputs.at(gate_input_), row);
}

void FastMix::run(Step& step, int thread) const {
  const int64_t n_side = gate_.matrix.rows();
  tensor::matmul_share(gate_.matrix, step.inputs.at(gate_input_), step.n_rows(), step.wide.data(),
                       n_side, thread, step.team.size());
  step.team.barrier();
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* gates = step.wide.data() + row * n_side;
    tensor::kernels().gate(tensor::Activation::gelu_tanh, gates, others(step, row) + side_begin_,
                           n_side, gates);
  }
  run_output(project_, project_input_, step.wide.data(), n_side, step, thread);
}

void FastMix::finish(Step& step, int64_t row) const {
  float* delta = step.delta.data() + row * n_embd_;
  norm_.apply(delta, n_embd_, delta);
  float* more = others(step, row);
  for (int64_t s = 1; s < n_; ++s) {
    tensor::kernels().add(delta, n_embd_, more + (s - 1) * n_embd_);
  }
}

}  // namespace strata::inference
