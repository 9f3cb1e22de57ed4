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
        inputs_[i].wants_bf16 == kinds.bf16 && inputs_[i].wants_f32 == kinds.f32) {
      return i;
    }
  }
  tensor::InputRows& input = inputs_.emplace_back();
  input.wants_int8 = kinds.int8;
  input.wants_bf16 = kinds.bf16;
  input.wants_f32 = kinds.f32;
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

void AnglePool::fill(int64_t row, int32_t position, int32_t long_text) {
  for (size_t i = 0; i < angles_.size(); ++i) {
    float* cosines = values_.data() + offsets_[i] + row * width_;
    angles_[i].at(position, long_text, cosines, cosines + angles_[i].n_pairs());
  }
}

size_t AttentionPool::add(const tensor::AttentionSetup& setup) {
  const auto same = [&](const tensor::AttentionSetup& other) {
    return setup.n_heads == other.n_heads && setup.n_kv_heads == other.n_kv_heads &&
           setup.kv == other.kv && setup.window == other.window && setup.section == other.section;
  };
  const auto found = std::ranges::find_if(setups_, same);
  if (found != setups_.end()) return static_cast<size_t>(found - setups_.begin());
  setups_.push_back(setup);
  steps_.emplace_back();
  planned_.push_back(false);
  return setups_.size() - 1;
}

void AttentionPool::plan(size_t index, const tensor::AttentionSetup& setup,
                         std::span<const tensor::AttentionSpan> spans) {
  if (!planned_[index]) steps_[index].plan(setup, spans);
  planned_[index] = true;
}

Share Step::paired_rows_of(int thread) const {
  Share share = rows_of(thread);
  const auto follows = [&](int64_t row) {
    if (row <= 0 || row >= n_rows()) return false;
    const Row& own = rows[static_cast<size_t>(row)];
    return own.position % 2 == 1 && rows[static_cast<size_t>(row - 1)].sequence == own.sequence;
  };
  if (follows(share.begin)) ++share.begin;
  if (follows(share.end)) ++share.end;
  return share;
}

int32_t Step::n_positions() const {
  int32_t n = 0;
  for (const RowSpan& span : spans) n = std::max(n, span.first_position + span.n_rows);
  return n;
}

void Step::set_spans(size_t cache_layer, std::vector<tensor::AttentionSpan>& out) const {
  out.clear();
  for (const RowSpan& span : spans) {
    out.push_back({.first_row = span.first_row,
                   .n_rows = span.n_rows,
                   .first_position = span.first_position,
                   .pages = span.pages->table(cache_layer),
                   .pages_stride = span.pages->stride(cache_layer)});
  }
}

}  // namespace strata::inference
