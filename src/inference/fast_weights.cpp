#include "inference/fast_weights.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "inference/head_screen.h"
#include "tensor/dequant.h"

namespace strata::inference {
namespace {

const float* or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

std::vector<float> transpose_of(const tensor::WeightSource& matrix) {
  const auto rows = static_cast<size_t>(matrix.rows), cols = static_cast<size_t>(matrix.cols);
  std::vector<float> stored(rows * cols);
  tensor::dequantize_row(matrix.type, matrix.data, stored.data(), matrix.rows * matrix.cols);
  std::vector<float> result(stored.size());
  for (size_t row = 0; row < rows; ++row) {
    for (size_t col = 0; col < cols; ++col) result[col * rows + row] = stored[row * cols + col];
  }
  return result;
}

}  // namespace

void PackedNorm::apply(const float* x, int64_t n, float* out, int64_t offset) const {
  const auto at = [offset](const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data() + offset;
  };
  tensor::norm_row(kind, x, at(weight), at(bias), n, epsilon, out);
}

void PackedNorm::apply_into(const float* x, tensor::InputRows& rows, int64_t row) const {
  tensor::norm_into(kind, x, or_null(weight), or_null(bias), epsilon, rows, row);
}

tensor::Activation packed_activation(models::Activation activation) {
  switch (activation) {
    case models::Activation::silu:
    case models::Activation::gelu_sigmoid:  // silu(a x) / a
      return tensor::Activation::silu;
    case models::Activation::gelu_tanh:
      return tensor::Activation::gelu_tanh;
    case models::Activation::gelu_erf:
      return tensor::Activation::gelu_erf;
    case models::Activation::relu:
      return tensor::Activation::relu;
    case models::Activation::relu_squared:
      return tensor::Activation::relu_squared;
    case models::Activation::tanh:  // check_spec() refuses it
      break;
  }
  CHECK(false && "activation");
  return tensor::Activation::none;
}

const models::Weight& Packer::find(models::TensorId slot) {
  read_.push_back(
      models::find_weight(*model_.file, model_.spec.tensors.at(static_cast<size_t>(slot))));
  return read_.back();
}

const models::Weight& Packer::checked(models::TensorId slot) {
  const models::Weight& weight = find(slot);
  models::refuse_bad_scales(weight, team_);
  return weight;
}

tensor::WeightSource Packer::source(models::TensorId slot) {
  // What is packed already was checked then, and is not read again (a folder would make it again),
  // but where a layout is decided by the weights (tensor/pack.h).
  const auto place =
      models::locate_weight(*model_.file, model_.spec.tensors.at(static_cast<size_t>(slot)));
  if (arena_.filled() && place.type() != tensor::DType::mxfp4) {
    return {.type = place.type(),
            .data = nullptr,
            .rows = static_cast<int64_t>(place.rows),
            .cols = static_cast<int64_t>(place.cols),
            .exact = keeps_floats(model_.spec)};
  }
  const models::Weight& weight = arena_.filled() ? find(slot) : checked(slot);
  return {.type = weight.place.type(),
          .data = weight.bytes.data(),
          .rows = static_cast<int64_t>(weight.place.rows),
          .cols = static_cast<int64_t>(weight.place.cols),
          .exact = keeps_floats(model_.spec)};
}

bool keeps_floats(const models::ModelSpec& spec) {
  return !models::generates(spec);
}

PackedLinear Packer::linear(std::span<const models::Linear> parts) {
  std::vector<tensor::WeightSource> sources;
  std::vector<float> bias;
  bool any_bias = false;
  for (const models::Linear& part : parts) {
    sources.push_back(source(part.weight));
    const std::vector<float> own = vector(part.bias);
    any_bias = any_bias || !own.empty();
    bias.insert(bias.end(), own.begin(), own.end());
    if (own.empty()) bias.resize(bias.size() + static_cast<size_t>(sources.back().rows));
  }
  if (!any_bias) bias.clear();
  return {.matrix = tensor::PackedMatrix::pack(sources, team_, &arena_), .bias = std::move(bias)};
}

PackedLinear Packer::transposed(std::span<const models::TensorId> slots) {
  std::vector<std::vector<float>> values;
  std::vector<tensor::WeightSource> sources;
  for (const models::TensorId slot : slots) {
    const tensor::WeightSource stored = source(slot);
    if (!arena_.filled()) values.push_back(transpose_of(stored));
    sources.push_back(
        {.type = tensor::DType::f32,
         .data = arena_.filled() ? nullptr : std::as_bytes(std::span(values.back())).data(),
         .rows = stored.cols,
         .cols = stored.rows});
  }
  return {.matrix = tensor::PackedMatrix::pack(sources, team_, &arena_), .bias = {}};
}

PackedLinear Packer::gated(const models::Linear& gate, const models::Linear& up) {
  CHECK(gate.bias == models::kNoTensor && up.bias == models::kNoTensor);
  return {.matrix = tensor::PackedMatrix::pack_gated(source(gate.weight), source(up.weight), team_,
                                                     &arena_),
          .bias = {}};
}

PackedLinear Packer::head() {
  const models::Linear& head = model_.spec.head;
  const tensor::WeightSource weights = source(head.weight);
  if (!is_screened(model_.spec, weights.type)) return linear(std::span(&head, 1));
  return {.matrix = tensor::PackedMatrix::pack_in_planes(weights, team_, &arena_), .bias = {}};
}

PackedNorm Packer::norm(const models::Norm& norm) {
  PackedNorm result{
      .epsilon = norm.epsilon, .weight = vector(norm.weight), .bias = vector(norm.bias)};
  if (norm.kind == models::NormKind::rms) result.kind = tensor::NormKind::rms;
  if (norm.kind == models::NormKind::layer) result.kind = tensor::NormKind::layer;
  return result;
}

std::vector<float> Packer::vector(models::TensorId slot) {
  return slot == models::kNoTensor ? std::vector<float>{} : models::dequantize(checked(slot));
}

std::vector<float> Packer::product(const models::Linear& linear, std::span<const float> x,
                                   int64_t n_rows) {
  const models::Weight& weight = checked(linear.weight);
  const tensor::WeightSource source{.type = weight.place.type(),
                                    .data = weight.bytes.data(),
                                    .rows = static_cast<int64_t>(weight.place.rows),
                                    .cols = static_cast<int64_t>(weight.place.cols),
                                    .exact = keeps_floats(model_.spec)};
  const auto matrix = tensor::PackedMatrix::pack(std::span(&source, 1), team_);
  tensor::InputRows input;
  input.wants_int8 = matrix.wants(tensor::InputKind::int8);
  input.wants_bf16 = matrix.wants(tensor::InputKind::bf16);
  input.wants_f32 = matrix.wants(tensor::InputKind::f32);
  input.resize(n_rows, matrix.cols());
  for (int64_t row = 0; row < n_rows; ++row) {
    tensor::fill_row(x.data() + row * matrix.cols(), input, row);
  }
  std::vector<float> y(static_cast<size_t>(n_rows * matrix.rows()));
  team_.run([&](int thread) {
    tensor::matmul_share(matrix, input, n_rows, y.data(), matrix.rows(), thread, team_.size());
  });
  const std::vector<float> bias = vector(linear.bias);
  for (int64_t row = 0; !bias.empty() && row < n_rows; ++row) {
    tensor::kernels().add(bias.data(), matrix.rows(), y.data() + row * matrix.rows());
  }
  return y;
}

models::Weight Packer::mapped(models::TensorId slot) {
  return checked(slot);
}

void Packer::release() {
  for (const models::Weight& weight : read_) model_.file->release(*weight.place.stored);
  read_.clear();
}

void Packer::release_all() {
  for (const models::TensorInfo& tensor : model_.file->tensors()) model_.file->release(tensor);
  read_.clear();
}

}  // namespace strata::inference
