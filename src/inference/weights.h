// A model's weights as executors want them: checked against the file, found by slot.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/model.h"

namespace strata::inference {

// A slot's part of a stored tensor: whole rows, in the mapped file.
struct StoredRows {
  const models::TensorInfo* tensor = nullptr;
  tensor::DType type = tensor::DType::f32;
  uint64_t rows = 0;
  uint64_t cols = 0;
  uint64_t row_bytes = 0;
  std::span<const std::byte> bytes;  // rows x row_bytes
};

// Error{invalid_argument} when the file has no such tensor or another shape than the spec says.
StoredRows stored_rows(const models::Model& model, models::TensorId slot);

// All weights of the slot as float32, [rows x cols].
std::vector<float> float_weights(const models::Model& model, models::TensorId slot);

// Every weight of a model as float32, by slot; slots that nothing reads stay empty.
class Float32Weights {
 public:
  explicit Float32Weights(const models::Model& model);
  // nullptr for kNoTensor.
  const float* data(models::TensorId slot) const;
  int64_t bytes() const;

 private:
  std::vector<std::vector<float>> values_;
};

// Throws Error{invalid_argument} when numbers of the spec cannot be run: shapes that do not fit
// together, heads that do not divide, a rotated part wider than a head.
void check_spec(const models::ModelSpec& spec);

}  // namespace strata::inference
