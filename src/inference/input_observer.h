// Sees the activations that a model's matrices are multiplied with, for statistics over a text.
#pragma once

#include <cstdint>

#include "models/family/spec.h"

namespace strata::inference {

class InputObserver {
 public:
  virtual ~InputObserver() = default;
  // `rows` rows of `cols` activations are multiplied with this slot of the spec now. Of experts
  // only the rows that go to each.
  virtual void observe(models::TensorId weight, const float* x, int64_t rows, int64_t cols) = 0;
};

}  // namespace strata::inference
