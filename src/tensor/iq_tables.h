// The code books of the IQ types: each entry is 4 or 8 weights, to be multiplied by a scale.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace strata::tensor {

template <typename T, size_t n_values, size_t n_entries>
using CodeBook = std::array<std::array<T, n_values>, n_entries>;

extern const CodeBook<uint8_t, 8, 256> kIq2XxsGrid;
extern const CodeBook<uint8_t, 8, 512> kIq2XsGrid;
extern const CodeBook<uint8_t, 8, 1024> kIq2SGrid;
extern const CodeBook<uint8_t, 4, 256> kIq3XxsGrid;
extern const CodeBook<uint8_t, 4, 512> kIq3SGrid;
extern const CodeBook<int8_t, 8, 2048> kIq1Grid;  // IQ1_S and IQ1_M; -1, 0, 1

}  // namespace strata::tensor
