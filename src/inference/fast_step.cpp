#include "inference/fast_step.h"

#include <algorithm>

namespace strata::inference {

size_t InputPool::add(const tensor::PackedMatrix& matrix) {
  InputKinds kinds;
  kinds.include(matrix);
  return add(matrix.cols(), kinds, 1);
}

size_t InputPool::add(int64_t width, InputKinds kinds, int64_t copies) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (widths_[i] == width && copies_[i] == copies && inputs_[i].wants_int8 == kinds.int8 &&
        inputs_[i].wants_bf16 == kinds.bf16) {
      return i;
    }
  }
  tensor::InputRows& input = inputs_.emplace_back();
  input.wants_int8 = kinds.int8;
  input.wants_bf16 = kinds.bf16;
  widths_.push_back(width);
  copies_.push_back(copies);
  return inputs_.size() - 1;
}

void InputPool::resize(int64_t n_rows) {
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].resize(n_rows * copies_[i], widths_[i]);
}

size_t AnglePool::add(RopeAngles angles) {
  const auto found = std::find(angles_.begin(), angles_.end(), angles);
  if (found != angles_.end()) return static_cast<size_t>(found - angles_.begin());
  offsets_.push_back(width_);
  width_ += 2 * static_cast<int64_t>(angles.n_pairs());
  angles_.push_back(std::move(angles));
  return angles_.size() - 1;
}

void AnglePool::resize(int64_t n_rows) {
  values_.resize(n_rows * width_);
}

void AnglePool::fill(int64_t row, int32_t position) {
  for (size_t i = 0; i < angles_.size(); ++i) {
    float* cosines = values_.data() + offsets_[i] + row * width_;
    angles_[i].at(position, cosines, cosines + angles_[i].n_pairs());
  }
}

}  // namespace strata::inference
