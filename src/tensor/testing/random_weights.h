// Random weights of any type for tests and benchmarks: every bit pattern of the quants, scales that
// are finite and of ordinary size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tensor/packed.h"

namespace strata::tensor::testing {

struct RandomMatrix {
  DType type = DType::f32;
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<std::byte> bytes;

  WeightSource source() const { return {type, bytes.data(), rows, cols}; }
};

RandomMatrix random_matrix(DType type, int64_t rows, int64_t cols, uint32_t seed);
// Every byte of quants is `fill`, Q6_K's integer scales are the largest and the smallest.
RandomMatrix filled_matrix(DType type, int64_t rows, int64_t cols, std::byte fill);
// Normal values; with `extreme` some are 1e4 times larger, some exactly zero.
std::vector<float> random_row(int64_t n, uint32_t seed, bool extreme = false);

}  // namespace strata::tensor::testing
