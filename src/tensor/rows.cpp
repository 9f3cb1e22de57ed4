#include "tensor/rows.h"

#include <algorithm>

#include "core/check.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {
int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}
}  // namespace

void QuantizedRows::resize(int64_t n_rows, int64_t k) {
  CHECK(n_rows >= 0 && k >= 1);
  n_rows_ = n_rows;
  k_ = k;
  padded_k_ = round_up(k, 256);
  // An odd number of cache lines: rows a power of two apart would share few cache sets.
  q_stride_ = round_up(padded_k_, 128) + 64;
  meta_offset_ = round_up(n_rows * q_stride_, 64);
  const int64_t bytes =
      meta_offset_ + n_rows * meta_stride() * static_cast<int64_t>(sizeof(GroupMeta));
  if (static_cast<size_t>(bytes) > buffer_.size()) buffer_ = Buffer(static_cast<size_t>(bytes));
}

void Bf16Rows::resize(int64_t n_rows, int64_t k) {
  CHECK(n_rows >= 0 && k >= 1);
  n_rows_ = n_rows;
  k_ = k;
  stride_ = round_up(k, 64) + 32;
  const auto bytes = static_cast<size_t>(n_rows * stride_ * 2);
  if (bytes > buffer_.size()) buffer_ = Buffer(bytes);
}

void FloatRows::resize(int64_t n_rows, int64_t k) {
  CHECK(n_rows >= 0 && k >= 1);
  n_rows_ = n_rows;
  k_ = k;
  stride_ = round_up(k, kGroup) + 16;  // an odd number of cache lines
  const auto bytes = static_cast<size_t>(n_rows * stride_) * sizeof(float);
  if (bytes > buffer_.size()) buffer_ = Buffer(bytes);
}

void InputRows::resize(int64_t n_rows, int64_t k_values) {
  k = k_values;
  if (wants_int8) int8.resize(n_rows, k);
  if (wants_bf16) bf16.resize(n_rows, k);
  if (wants_f32) f32.resize(n_rows, k);
}

void fill_row(const float* x, InputRows& rows, int64_t row) {
  const KernelSet& set = kernels();
  if (rows.wants_int8) {
    set.quantize(x, rows.k, rows.int8.padded_k(), rows.int8.q(row), rows.int8.meta(row));
  }
  if (rows.wants_bf16) {
    uint16_t* out = rows.bf16.row(row);
    set.to_bf16(x, rows.k, out);
    for (int64_t i = rows.k; i < rows.bf16.stride(); ++i) out[i] = 0;
  }
  if (rows.wants_f32) {
    float* out = rows.f32.row(row);
    std::copy_n(x, rows.k, out);
    std::fill(out + rows.k, out + rows.f32.stride(), 0.0f);
  }
}

}  // namespace strata::tensor
