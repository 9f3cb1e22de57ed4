#include "inference/block/streams.h"

#include <algorithm>
#include <cmath>

#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

constexpr float kLeastSquare = 1e-5f;  // of a stream that is made as long as another

float mean_square(std::span<const float> x) {
  float sum = 0.0f;
  for (const float value : x) sum += value * value;
  return sum / static_cast<float>(x.size());
}

// As long as `like`, row by row.
void lengthen(std::span<float> rows, std::span<const float> like, size_t width) {
  for (size_t begin = 0; begin < rows.size(); begin += width) {
    const auto row = rows.subspan(begin, width);
    const float wanted = std::sqrt(mean_square(like.subspan(begin, width)));
    const float length = std::sqrt(std::max(mean_square(row), kLeastSquare));
    for (float& value : row) value = value * wanted / length;
  }
}

}  // namespace

Float32Streams::Float32Streams(const models::ModelSpec& spec, const Float32Weights& weights,
                               int n_threads)
    : spec_(spec),
      weights_(weights),
      n_threads_(n_threads),
      others_(static_cast<size_t>(spec.streams->n - 1)) {}

std::vector<float> Float32Streams::product(models::TensorId matrix, std::span<const float> x,
                                           int64_t n, int64_t k) const {
  const auto n_rows = static_cast<int64_t>(x.size()) / k;
  std::vector<float> y(static_cast<size_t>(n_rows * n));
  multiply(weights_, {matrix, models::kNoTensor}, x.data(), n_rows, n, k, y.data(), n_threads_);
  return y;
}

void Float32Streams::open(std::span<const Row> rows, std::span<const float> first) {
  const models::Streams& streams = *spec_.streams;
  for (size_t i = 0; i < others_.size(); ++i) {
    others_[i] = product(streams.open[i], first, spec_.n_embd, spec_.n_embd);
    lengthen(others_[i], first, width());
  }
  const auto n_side = static_cast<size_t>(streams.n_side);
  const size_t n_sides = spec_.layers.size() * n_side;
  sides_ = product(streams.side.weight, first, static_cast<int64_t>(n_sides), spec_.n_embd);
  const float shrink = 1.0f / std::sqrt(static_cast<float>(spec_.n_embd));
  for (float& value : sides_) value *= shrink;
  for (size_t begin = 0; begin < sides_.size(); begin += n_side) {
    const auto part = std::span(sides_).subspan(begin, n_side);
    apply_norm(streams.norm.kind, streams.norm.epsilon, weights_.data(streams.norm.weight), nullptr,
               part, part);
    const size_t row = begin / n_sides;
    const int32_t token = rows[row].token < streams.n_table ? rows[row].token : 0;
    const float* own =
        weights_.data(streams.table) + static_cast<size_t>(token) * n_sides + begin % n_sides;
    for (size_t i = 0; i < n_side; ++i) {
      part[i] = (part[i] + own[i] * streams.table_scale) * std::sqrt(0.5f);
    }
  }
}

std::vector<float> Float32Streams::modes(const models::StreamMix& mix,
                                         std::span<const float> x) const {
  std::vector<float> normed(x.size());
  for (size_t begin = 0; begin < x.size(); begin += width()) {
    apply_norm(mix.router_norm.kind, mix.router_norm.epsilon, weights_.data(mix.router_norm.weight),
               nullptr, x.subspan(begin, width()), std::span(normed).subspan(begin, width()));
  }
  for (float& value : normed) value /= static_cast<float>(spec_.n_embd);
  std::vector<float> modes = product(mix.router.weight, normed, spec_.streams->n, spec_.n_embd);
  for (float& value : modes) value = std::tanh(value);
  return modes;
}

void Float32Streams::predict(const models::StreamMix& mix, std::span<float> first) {
  const auto n = static_cast<size_t>(spec_.streams->n);
  const auto n64 = static_cast<int64_t>(n);
  const std::vector<float> factors = product(mix.predict, modes(mix, first), n64 * n64, n64);
  std::vector<float> all(n), sums(n);
  for (size_t i = 0; i < first.size(); ++i) {
    const float* of_row = factors.data() + i / width() * n * n;
    all[0] = first[i];
    for (size_t s = 1; s < n; ++s) all[s] = others_[s - 1][i];
    for (size_t j = 0; j < n; ++j) {
      sums[j] = 0.0f;
      for (size_t s = 0; s < n; ++s) sums[j] += all[s] * of_row[j * n + s];
    }
    first[i] += sums[0];
    for (size_t s = 1; s < n; ++s) others_[s - 1][i] += sums[s];
  }
  predicted_.assign(first.begin(), first.end());
}

void Float32Streams::correct(const models::StreamMix& mix, size_t layer, std::span<float> first) {
  const auto n = static_cast<size_t>(spec_.streams->n);
  const auto n64 = static_cast<int64_t>(n);
  const std::vector<float> factors = product(mix.correct, modes(mix, first), n64, n64);
  for (size_t i = 0; i < first.size(); ++i) {
    const float* of_row = factors.data() + i / width() * n;
    const float change = first[i] - predicted_[i];
    first[i] = predicted_[i] + change * (of_row[0] + 1.0f);
    for (size_t s = 1; s < n; ++s) others_[s - 1][i] += change * (of_row[s] + 1.0f);
  }
  add_side(mix, layer, first);
}

void Float32Streams::add_side(const models::StreamMix& mix, size_t layer,
                              std::span<const float> first) {
  const auto n_side = static_cast<size_t>(spec_.streams->n_side);
  const size_t n_sides = spec_.layers.size() * n_side;
  const float* scale = weights_.data(mix.scale);
  std::vector<float> scaled(first.begin(), first.end());
  for (size_t i = 0; scale != nullptr && i < scaled.size(); ++i) scaled[i] *= scale[i % width()];
  std::vector<float> gates =
      product(mix.gate.weight, scaled, static_cast<int64_t>(n_side), spec_.n_embd);
  for (size_t i = 0; i < gates.size(); ++i) {
    const float side = sides_[i / n_side * n_sides + layer * n_side + i % n_side];
    gates[i] = activate(models::Activation::gelu_tanh, gates[i]) * side;
  }
  std::vector<float> more =
      product(mix.project.weight, gates, spec_.n_embd, static_cast<int64_t>(n_side));
  for (size_t begin = 0; begin < more.size(); begin += width()) {
    const auto row = std::span(more).subspan(begin, width());
    apply_norm(mix.norm.kind, mix.norm.epsilon, weights_.data(mix.norm.weight), nullptr, row, row);
  }
  for (std::vector<float>& stream : others_) {
    for (size_t i = 0; i < stream.size(); ++i) stream[i] += more[i];
  }
}

void Float32Streams::close(std::span<float> first) const {
  const models::Streams& streams = *spec_.streams;
  std::vector<float> sum(first.begin(), first.end());
  for (size_t s = 0; s < others_.size(); ++s) {
    std::vector<float> own = product(streams.close[s], others_[s], spec_.n_embd, spec_.n_embd);
    lengthen(own, first, width());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += own[i];
  }
  for (size_t i = 0; i < sum.size(); ++i) first[i] = sum[i] / static_cast<float>(streams.n);
}

}  // namespace strata::inference
