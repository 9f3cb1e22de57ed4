// The activations a matmul reads: rows of int8 with a scale per group of 32, of bf16, of floats.
// Filled row by row (by any thread), read by all.
#pragma once

#include <cstdint>

#include "tensor/buffer.h"
#include "tensor/layout.h"

namespace strata::tensor {

// What a packed matrix wants to be multiplied with.
enum class InputKind : uint8_t { int8, bf16, f32 };

// Rows of int8: value = meta.scale * q, scale = max |x| of the group / 127, round to nearest even.
class QuantizedRows {
 public:
  // Room for n rows of k values; keeps the memory when it is large enough. k >= 1. Old contents
  // are lost. Not while other threads use the object.
  void resize(int64_t n_rows, int64_t k);
  int64_t rows() const { return n_rows_; }
  int64_t k() const { return k_; }
  int64_t padded_k() const { return padded_k_; }  // a multiple of 256; the tail is zero
  int64_t q_stride() const { return q_stride_; }
  int64_t meta_stride() const { return padded_k_ / kGroup; }
  int8_t* q(int64_t row) const { return buffer_.as<int8_t>() + row * q_stride_; }
  GroupMeta* meta(int64_t row) const {
    return buffer_.as<GroupMeta>(static_cast<size_t>(meta_offset_)) + row * meta_stride();
  }

 private:
  Buffer buffer_;
  int64_t n_rows_ = 0, k_ = 0, padded_k_ = 0, q_stride_ = 0, meta_offset_ = 0;
};

class Bf16Rows {
 public:
  void resize(int64_t n_rows, int64_t k);  // as QuantizedRows
  int64_t rows() const { return n_rows_; }
  int64_t k() const { return k_; }
  int64_t stride() const { return stride_; }  // elements
  uint16_t* row(int64_t i) const { return buffer_.as<uint16_t>() + i * stride_; }

 private:
  Buffer buffer_;
  int64_t n_rows_ = 0, k_ = 0, stride_ = 0;
};

class FloatRows {
 public:
  void resize(int64_t n_rows, int64_t k);  // as QuantizedRows
  int64_t rows() const { return n_rows_; }
  int64_t k() const { return k_; }
  int64_t stride() const { return stride_; }  // elements
  float* row(int64_t i) const { return buffer_.as<float>() + i * stride_; }

 private:
  Buffer buffer_;
  int64_t n_rows_ = 0, k_ = 0, stride_ = 0;
};

// The input of one or more matmuls, in the kinds they ask for. An unused kind costs nothing.
struct InputRows {
  QuantizedRows int8;
  Bf16Rows bf16;
  FloatRows f32;
  bool wants_int8 = true;
  bool wants_bf16 = false;
  bool wants_f32 = false;

  void resize(int64_t n_rows, int64_t k);
  int64_t k = 0;
};

// x[0..k) becomes row `row` of `rows`, in every wanted kind.
void fill_row(const float* x, InputRows& rows, int64_t row);

}  // namespace strata::tensor
