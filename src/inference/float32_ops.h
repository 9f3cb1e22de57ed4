// Plain float32 arithmetic of the judge: one readable loop an operation, sums in index order.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "inference/weights.h"
#include "models/family/spec.h"

namespace strata::inference {

// Splits [0, n) into contiguous parts, one a thread. The result of no operation here depends on it.
void parallel_ranges(int n_threads, int64_t n, const std::function<void(int64_t, int64_t)>& work);

// y[m x n] = x[m x k] w[n x k]^T + bias[n]; bias may be null. Every output is one sum in order of
// k.
void matmul(const float* x, int64_t m, const float* w, int64_t n, int64_t k, const float* bias,
            float* y, int n_threads);

// The same with a matrix of a model and its bias, x[m x k], y[m x n]; the weights' observer sees x.
void multiply(const Float32Weights& weights, const models::Linear& linear, const float* x,
              int64_t m, int64_t n, int64_t k, float* y, int n_threads);

// In place or not; weight and bias may be null. Formulas: spec.h.
void apply_norm(models::NormKind kind, float epsilon, const float* weight, const float* bias,
                std::span<const float> x, std::span<float> y);

// Rotates one head (RoFormer, https://arxiv.org/abs/2104.09864, section 3.4.2).
void rotate(models::RopeKind kind, std::span<const float> cosines, std::span<const float> sines,
            std::span<float> head);

float activate(models::Activation activation, float x);
float dot(const float* a, const float* b, int64_t n);
void softmax(std::span<float> scores);

}  // namespace strata::inference
