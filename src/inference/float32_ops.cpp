#include "inference/float32_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>
#include <vector>

#include "core/check.h"

// The same plain loop for wider registers; lanes are rows, so that no sum changes its order.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define STRATA_WIDER [[gnu::target_clones("avx512f", "avx2", "default")]]
#else
#define STRATA_WIDER
#endif

namespace strata::inference {
namespace {

constexpr int64_t kLanes = 16;  // rows of x that share one pass over the weights
constexpr int64_t kOutputs = 4;

// sums[kOutputs x kLanes] of kOutputs weight rows and kLanes interleaved rows of x, [k][lane].
STRATA_WIDER void multiply_tile(const float* x, const float* w, int64_t k, float* sums) {
  float a[kLanes] = {}, b[kLanes] = {}, c[kLanes] = {}, d[kLanes] = {};
  for (int64_t i = 0; i < k; ++i) {
    const float* row = x + i * kLanes;
    const float w0 = w[i], w1 = w[k + i], w2 = w[2 * k + i], w3 = w[3 * k + i];
    for (int64_t l = 0; l < kLanes; ++l) {
      a[l] += w0 * row[l];
      b[l] += w1 * row[l];
      c[l] += w2 * row[l];
      d[l] += w3 * row[l];
    }
  }
  std::copy_n(a, kLanes, sums);
  std::copy_n(b, kLanes, sums + kLanes);
  std::copy_n(c, kLanes, sums + 2 * kLanes);
  std::copy_n(d, kLanes, sums + 3 * kLanes);
}

std::vector<float> interleave(const float* x, int64_t m, int64_t k) {
  const int64_t n_groups = (m + kLanes - 1) / kLanes;
  std::vector<float> result(static_cast<size_t>(n_groups * kLanes * k));
  for (int64_t row = 0; row < m; ++row) {
    float* group = result.data() + (row / kLanes) * kLanes * k + row % kLanes;
    for (int64_t i = 0; i < k; ++i) group[i * kLanes] = x[row * k + i];
  }
  return result;
}

float row_dot(const float* x, const float* w, int64_t k) {
  float sum = 0.0f;
  for (int64_t i = 0; i < k; ++i) sum += w[i] * x[i];
  return sum;
}

}  // namespace

void parallel_ranges(int n_threads, int64_t n, const std::function<void(int64_t, int64_t)>& work) {
  const int64_t parts = std::clamp<int64_t>(n_threads, 1, std::max<int64_t>(n, 1));
  std::vector<std::thread> threads;
  for (int64_t part = 1; part < parts; ++part) {
    threads.emplace_back(
        [&work, n, part, parts] { work(n * part / parts, n * (part + 1) / parts); });
  }
  work(0, n / parts);
  for (auto& thread : threads) thread.join();
}

void matmul(const float* x, int64_t m, const float* w, int64_t n, int64_t k, const float* bias,
            float* y, int n_threads) {
  constexpr int64_t kWorthThreads = int64_t{1} << 22;
  const std::vector<float> lanes = interleave(x, m, k);
  const auto bias_of = [&](int64_t output) { return bias == nullptr ? 0.0f : bias[output]; };
  const auto work = [&](int64_t begin, int64_t end) {
    std::array<float, kOutputs * kLanes> sums{};
    const int64_t tiled = begin + (end - begin) / kOutputs * kOutputs;
    for (int64_t row = 0; row < m; row += kLanes) {
      const int64_t n_lanes = std::min(kLanes, m - row);
      for (int64_t output = begin; output < tiled; output += kOutputs) {
        multiply_tile(lanes.data() + row * k, w + output * k, k, sums.data());
        for (int64_t o = 0; o < kOutputs; ++o) {
          for (int64_t l = 0; l < n_lanes; ++l) {
            y[(row + l) * n + output + o] =
                sums[static_cast<size_t>(o * kLanes + l)] + bias_of(output + o);
          }
        }
      }
      for (int64_t output = tiled; output < end; ++output) {
        for (int64_t l = row; l < row + n_lanes; ++l) {
          y[l * n + output] = row_dot(x + l * k, w + output * k, k) + bias_of(output);
        }
      }
    }
  };
  parallel_ranges(m * n * k >= kWorthThreads ? n_threads : 1, n, work);
}

void multiply(const Float32Weights& weights, const models::Linear& linear, const float* x,
              int64_t m, int64_t n, int64_t k, float* y, int n_threads) {
  if (weights.observer() != nullptr) weights.observer()->observe(linear.weight, x, m, k);
  matmul(x, m, weights.data(linear.weight), n, k, weights.data(linear.bias), y, n_threads);
}

void apply_norm(models::NormKind kind, float epsilon, const float* weight, const float* bias,
                std::span<const float> x, std::span<float> y) {
  if (kind == models::NormKind::none) {
    std::copy(x.begin(), x.end(), y.begin());
    return;
  }
  const auto n = static_cast<double>(x.size());
  double mean = 0.0;
  if (kind == models::NormKind::layer) {
    for (const float value : x) mean += value;
    mean /= n;
  }
  double squares = 0.0;
  for (const float value : x) squares += (value - mean) * (value - mean);
  const double scale = 1.0 / std::sqrt(squares / n + static_cast<double>(epsilon));
  for (size_t i = 0; i < x.size(); ++i) {
    float value = static_cast<float>((x[i] - mean) * scale);
    if (weight != nullptr) value *= weight[i];
    if (bias != nullptr) value += bias[i];
    y[i] = value;
  }
}

void rotate(models::RopeKind kind, std::span<const float> cosines, std::span<const float> sines,
            std::span<float> head) {
  if (kind == models::RopeKind::none) return;
  const size_t n_pairs = cosines.size();
  const bool adjacent = kind == models::RopeKind::adjacent;
  for (size_t i = 0; i < n_pairs; ++i) {
    float& a = head[adjacent ? 2 * i : i];
    float& b = head[adjacent ? 2 * i + 1 : i + n_pairs];
    const float rotated = a * cosines[i] - b * sines[i];
    b = a * sines[i] + b * cosines[i];
    a = rotated;
  }
}

float activate(models::Activation activation, float x) {
  constexpr float kSqrtTwoOverPi = 0.79788456080286535588f;
  constexpr float kSqrtHalf = 0.70710678118654752440f;
  switch (activation) {
    case models::Activation::silu:
      return x / (1.0f + std::exp(-x));
    case models::Activation::gelu_tanh:
      return 0.5f * x * (1.0f + std::tanh(kSqrtTwoOverPi * (x + 0.044715f * x * x * x)));
    case models::Activation::gelu_erf:
      return 0.5f * x * (1.0f + std::erf(x * kSqrtHalf));
    case models::Activation::gelu_sigmoid:
      return x / (1.0f + std::exp(-1.702f * x));
    case models::Activation::relu:
      return std::max(x, 0.0f);
    case models::Activation::relu_squared:
      return x > 0.0f ? x * x : 0.0f;
    case models::Activation::tanh:
      return std::tanh(x);
  }
  CHECK(false && "activation");
  return 0.0f;
}

float dot(const float* a, const float* b, int64_t n) {
  constexpr int64_t kParts = 8;
  std::array<float, kParts> sums{};
  const int64_t whole = n / kParts * kParts;
  for (int64_t i = 0; i < whole; i += kParts) {
    for (int64_t p = 0; p < kParts; ++p) sums[static_cast<size_t>(p)] += a[i + p] * b[i + p];
  }
  float total = 0.0f;
  for (const float sum : sums) total += sum;
  for (int64_t i = whole; i < n; ++i) total += a[i] * b[i];
  return total;
}

void softmax(std::span<float> scores) {
  const float maximum = *std::max_element(scores.begin(), scores.end());
  float total = 0.0f;
  for (float& score : scores) {
    score = std::exp(score - maximum);
    total += score;
  }
  for (float& score : scores) score /= total;
}

}  // namespace strata::inference
