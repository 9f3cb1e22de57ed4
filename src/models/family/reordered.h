// Weights of a stored matrix in another order: what layouts of other formats need to become ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace strata::models {

// `rows` rows of `cols` elements; a vector has one element a row.
struct RowsOf {
  std::span<const std::byte> bytes;
  uint64_t rows = 0;
  uint64_t cols = 0;
  size_t element_bytes = 0;  // bytes.size() is their product
};

struct QkvGroups {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim = 0;
};

// Error{invalid_argument} with the tensor's name when its rows are not whole heads, or not those of
// the groups.
void check_heads(const RowsOf& source, int32_t head_dim, std::string_view name);
void check_groups(const RowsOf& source, const QkvGroups& groups, std::string_view name);

// Which row of the source row i of the result is, of the two below.
uint64_t halves_to_pairs_row(uint64_t i, int32_t head_dim);
uint64_t ungrouped_qkv_row(uint64_t i, const QkvGroups& groups);

// In each head row i + h * d/2 becomes row 2i + h.
// The other way: which row of the result is row `row` of the source.
uint64_t row_in_pairs(uint64_t row, int32_t head_dim);
uint64_t row_in_qkv(uint64_t row, const QkvGroups& groups);

std::vector<std::byte> halves_to_pairs(const RowsOf& source, int32_t head_dim);
// Each group's n_heads / n_kv_heads queries, its key and its value; then all Q, all K, all V.
std::vector<std::byte> ungrouped_qkv(const RowsOf& source, const QkvGroups& groups);
// The columns `first`, `first + step`, …, n of them.
struct Columns {
  uint64_t first = 0;
  uint64_t step = 1;
  uint64_t n = 0;
};
std::vector<std::byte> taken(const RowsOf& source, const Columns& columns);
std::vector<std::byte> transposed(const RowsOf& source, const Columns& columns);
// 1 + w, -exp(w) as float32.
std::vector<std::byte> plus_one(std::span<const std::byte> weights, tensor::DType type);
std::vector<std::byte> minus_exp(std::span<const std::byte> weights, tensor::DType type);

}  // namespace strata::models
