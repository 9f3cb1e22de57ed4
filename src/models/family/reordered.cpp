#include "models/family/reordered.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "models/format/gguf_part.h"
#include "tensor/dequant.h"

namespace strata::models {
namespace {

// Row i of the result is row from(i) of the source.
template <typename From>
std::vector<std::byte> gathered(const RowsOf& source, From from) {
  std::vector<std::byte> out(source.bytes.size());
  const size_t row_bytes = source.cols * source.element_bytes;
  for (uint64_t i = 0; i < source.rows; ++i) {
    std::memcpy(out.data() + i * row_bytes, source.bytes.data() + from(i) * row_bytes, row_bytes);
  }
  return out;
}

// f of each weight, as float32.
template <typename F>
std::vector<std::byte> widened(std::span<const std::byte> weights, tensor::DType type, F f) {
  const uint64_t n = weights.size() / tensor::bytes_of(type, 1);
  std::vector<std::byte> out(n * sizeof(float));
  std::vector<float> values(n);
  tensor::dequantize_row(type, weights.data(), values.data(), static_cast<int64_t>(n));
  for (float& value : values) value = f(value);
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

}  // namespace

void check_heads(const RowsOf& source, int32_t head_dim, std::string_view name) {
  if (head_dim % 2 == 0 && source.rows % static_cast<uint64_t>(head_dim) == 0) return;
  throw Error(Code::invalid_argument, fmt::format("tensor '{}' has {} rows, no whole heads of {}",
                                                  printable(name), source.rows, head_dim));
}

void check_groups(const RowsOf& source, const QkvGroups& groups, std::string_view name) {
  const auto width = static_cast<uint64_t>(groups.head_dim);
  const uint64_t wanted = width * (static_cast<uint64_t>(groups.n_heads) +
                                   2 * static_cast<uint64_t>(groups.n_kv_heads));
  if (groups.n_heads % groups.n_kv_heads == 0 && source.rows == wanted) return;
  throw Error(Code::invalid_argument,
              fmt::format("tensor '{}' has {} rows, {} heads on {} of {} need {}", printable(name),
                          source.rows, groups.n_heads, groups.n_kv_heads, groups.head_dim, wanted));
}

uint64_t halves_to_pairs_row(uint64_t i, int32_t head_dim) {
  const auto width = static_cast<uint64_t>(head_dim);
  const uint64_t in_head = i % width;
  return i - in_head + in_head / 2 + in_head % 2 * (width / 2);
}

uint64_t ungrouped_qkv_row(uint64_t i, const QkvGroups& groups) {
  const auto width = static_cast<uint64_t>(groups.head_dim);
  const auto n_kv = static_cast<uint64_t>(groups.n_kv_heads);
  const uint64_t per_group = static_cast<uint64_t>(groups.n_heads) / n_kv;
  const uint64_t head = i / width;
  const uint64_t n_q = per_group * n_kv;
  uint64_t group = head / per_group;
  uint64_t place = head % per_group;
  if (head >= n_q) {  // a key, then the values
    group = (head - n_q) % n_kv;
    place = per_group + (head - n_q) / n_kv;
  }
  return (group * (per_group + 2) + place) * width + i % width;
}

uint64_t row_in_pairs(uint64_t row, int32_t head_dim) {
  const auto half = static_cast<uint64_t>(head_dim) / 2;
  const uint64_t in_head = row % (2 * half);
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

uint64_t row_in_qkv(uint64_t row, const QkvGroups& groups) {
  const auto width = static_cast<uint64_t>(groups.head_dim);
  const auto n_kv = static_cast<uint64_t>(groups.n_kv_heads);
  const uint64_t per_group = static_cast<uint64_t>(groups.n_heads) / n_kv;
  const uint64_t group = row / width / (per_group + 2);
  const uint64_t place = row / width % (per_group + 2);
  // Behind the queries of all groups their keys, then their values.
  const uint64_t head = place < per_group ? group * per_group + place : place * n_kv + group;
  return head * width + row % width;
}

std::vector<std::byte> halves_to_pairs(const RowsOf& source, int32_t head_dim) {
  return gathered(source, [&](uint64_t i) { return halves_to_pairs_row(i, head_dim); });
}

std::vector<std::byte> ungrouped_qkv(const RowsOf& source, const QkvGroups& groups) {
  return gathered(source, [&](uint64_t i) { return ungrouped_qkv_row(i, groups); });
}

std::vector<std::byte> taken(const RowsOf& source, const Columns& columns) {
  const size_t size = source.element_bytes;
  std::vector<std::byte> out(source.rows * columns.n * size);
  std::byte* to = out.data();
  for (uint64_t row = 0; row < source.rows; ++row) {
    const std::byte* from = source.bytes.data() + (row * source.cols + columns.first) * size;
    for (uint64_t i = 0; i < columns.n; ++i, to += size) {
      std::memcpy(to, from + i * columns.step * size, size);
    }
  }
  return out;
}

// Square by square, so that what is read and written stays in the cache.
std::vector<std::byte> transposed(const RowsOf& source, const Columns& columns) {
  constexpr uint64_t kSide = 32;
  const size_t size = source.element_bytes;
  std::vector<std::byte> out(source.rows * columns.n * size);
  for (uint64_t row_begin = 0; row_begin < source.rows; row_begin += kSide) {
    const uint64_t row_end = std::min(row_begin + kSide, source.rows);
    for (uint64_t begin = 0; begin < columns.n; begin += kSide) {
      const uint64_t end = std::min(begin + kSide, columns.n);
      for (uint64_t i = begin; i < end; ++i) {
        const uint64_t col = columns.first + i * columns.step;
        for (uint64_t row = row_begin; row < row_end; ++row) {
          std::memcpy(out.data() + (i * source.rows + row) * size,
                      source.bytes.data() + (row * source.cols + col) * size, size);
        }
      }
    }
  }
  return out;
}

std::vector<std::byte> plus_one(std::span<const std::byte> weights, tensor::DType type) {
  return widened(weights, type, [](float w) { return 1.0f + w; });
}

std::vector<std::byte> minus_exp(std::span<const std::byte> weights, tensor::DType type) {
  return widened(weights, type, [](float w) { return static_cast<float>(-std::exp(double{w})); });
}

}  // namespace strata::models
