// A model's weights as executors want them, found by slot.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/executor.h"
#include "inference/input_observer.h"
#include "models/model.h"

namespace strata::inference {

// Every weight of a model as float32, by slot. Error{invalid_argument} as find_weight and
// refuse_bad_scales throw it.
class Float32Weights {
 public:
  explicit Float32Weights(const models::Model& model);
  // nullptr for kNoTensor.
  const float* data(models::TensorId slot) const;
  std::span<const float> values(models::TensorId slot) const;  // empty for kNoTensor
  int64_t bytes() const;

  // Told of every product with a matrix; null: nobody. It must outlive the weights.
  void set_observer(InputObserver* observer) { observer_ = observer; }
  InputObserver* observer() const { return observer_; }

 private:
  InputObserver* observer_ = nullptr;
  std::vector<std::vector<float>> values_;
};

// Throws Error{invalid_argument} when numbers of the spec cannot be run: shapes that do not fit
// together, heads that do not divide, a rotated part wider than a head.
void check_spec(const models::ModelSpec& spec);

// Error{failed_precondition} for a model without an encoder.
void check_has_encoder(const models::ModelSpec& spec);

// Rows of a step that ask for what the model has: a type and a position with an embedding, logits
// of a model that has a head. Error{invalid_argument} with the row at fault.
void check_inputs(const models::ModelSpec& spec, std::span<const Row> rows);

}  // namespace strata::inference
