// Weights of the fast executor: matrices packed once at load, small vectors as float32, the mapped
// pages given back afterwards, so that each weight is resident once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/threads.h"
#include "inference/executor.h"
#include "models/family/weights.h"
#include "tensor/ops.h"
#include "tensor/packed.h"

namespace strata::inference {

struct PackedLinear {
  tensor::PackedMatrix matrix;
  std::vector<float> bias;  // empty: none
};

struct PackedNorm {
  tensor::NormKind kind = tensor::NormKind::none;
  float epsilon = 0.0f;
  std::vector<float> weight;  // empty: ones
  std::vector<float> bias;    // empty: zeros

  // With weights from `offset` on.
  void apply(const float* x, int64_t n, float* out, int64_t offset = 0) const;
  void apply_into(const float* x, tensor::InputRows& rows, int64_t row) const;
};

// Whether F32 matrices stay floats: of models that make vectors, which are compared with others'.
bool keeps_floats(const models::ModelSpec& spec);

tensor::Activation packed_activation(models::Activation activation);

// Reads slots of a model. Errors: those of find_weight, refuse_bad_scales and PackedMatrix::pack.
class Packer {
 public:
  // Into `arena`. One that is filled was packed before from the same tensors, which then were
  // checked too.
  Packer(const models::Model& model, Team& team, tensor::Arena& arena)
      : model_(model), team_(team), arena_(arena) {}

  // Outputs one after the other; where only some have a bias, the others' is zero.
  PackedLinear linear(std::span<const models::Linear> parts);
  // The transposes of matrices of one shape, one after the other, in bf16.
  PackedLinear transposed(std::span<const models::TensorId> slots);
  // activation(gate x) * (up x); only without biases.
  PackedLinear gated(const models::Linear& gate, const models::Linear& up);
  // The output head, in planes where it is screened (inference/head_screen.h).
  PackedLinear head();
  PackedNorm norm(const models::Norm& norm);
  std::vector<float> vector(models::TensorId slot);  // empty for kNoTensor
  // Of numbers that no text changes: x[n_rows x k] times the matrix, and its bias.
  std::vector<float> product(const models::Linear& linear, std::span<const float> x,
                             int64_t n_rows);
  // A tensor whose rows are read from the file, checked.
  models::Weight mapped(models::TensorId slot);
  // Gives the pages of all tensors read so far back to the system.
  void release();
  // And those that came in beside them: a page cache of large pages maps two megabytes for a norm.
  void release_all();

 private:
  tensor::WeightSource source(models::TensorId slot);
  // Valid until the next one is read.
  const models::Weight& find(models::TensorId slot);
  const models::Weight& checked(models::TensorId slot);

  const models::Model& model_;
  Team& team_;
  tensor::Arena& arena_;
  std::vector<models::Weight> read_;  // since the last release
};

}  // namespace strata::inference
