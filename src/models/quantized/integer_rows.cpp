#include "models/quantized/integer_rows.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "models/quantized/stored.h"
#include "tensor/half.h"

namespace strata::models {
namespace {

using tensor::DType;

constexpr uint64_t kBlock = 32;       // weights of a block
constexpr uint64_t kRowsAtOnce = 16;  // whose words lie in one cache line where rows are columns

// What a type's codes reach.
struct Reach {
  DType type;
  int32_t low, high;
};
constexpr Reach kReaches[]{{DType::q4_0, -8, 7}, {DType::q5_0, -16, 15}, {DType::q8_0, -128, 127}};

uint64_t group_at(const IntegerWeight& weight, uint64_t col) {
  return weight.group_of.empty() ? col / weight.group_cols : word_at(weight.group_of, col);
}

// Whether each block of columns has one scale.
bool is_in_blocks(const IntegerWeight& weight) {
  if (weight.cols % kBlock != 0) return false;
  if (weight.group_of.empty()) return weight.n_groups == 1 || weight.group_cols % kBlock == 0;
  for (uint64_t col = 0; col < weight.cols; ++col) {
    if (group_at(weight, col) != group_at(weight, col / kBlock * kBlock)) return false;
  }
  return true;
}

bool has_f16_scales(const IntegerWeight& weight) {
  if (weight.scales_are_f16) return true;
  for (uint64_t row = 0; row < weight.rows; ++row) {
    for (uint64_t group = 0; group < weight.n_groups; ++group) {
      const float scale = weight.scale(row, group);
      if (tensor::f16_to_f32(tensor::f32_to_f16(scale)) != scale) return false;
    }
  }
  return true;
}

// Of all differences between a code and its zero point.
Reach reach_of(const IntegerWeight& weight) {
  int32_t low = 0, high = 0;  // of the zero points
  if (weight.zero) {
    low = high = weight.zero(0, 0);
    for (uint64_t row = 0; row < weight.rows; ++row) {
      for (uint64_t group = 0; group < weight.n_groups; ++group) {
        const int32_t zero = weight.zero(row, group);
        low = std::min(low, zero);
        high = std::max(high, zero);
      }
    }
  }
  return {DType::f32, weight.min_code - high, weight.max_code - low};
}

void put_half(float value, std::byte* out) {
  const uint16_t half = tensor::f32_to_f16(value);
  std::memcpy(out, &half, sizeof half);
}

std::byte nibbles(int low, int high) {
  return static_cast<std::byte>(low | (high << 4));
}

// One block of each type, as src/tensor/dequant_small.cpp reads it.
void put_q4_0(const int32_t* values, std::byte* out) {
  for (size_t i = 0; i < 16; ++i) out[2 + i] = nibbles(values[i] + 8, values[i + 16] + 8);
}

void put_q5_0(const int32_t* values, std::byte* out) {
  uint32_t fifth_bits = 0;
  for (size_t i = 0; i < 16; ++i) {
    const int low = values[i] + 16, high = values[i + 16] + 16;
    fifth_bits |= static_cast<uint32_t>(low >> 4) << i;
    fifth_bits |= static_cast<uint32_t>(high >> 4) << (i + 16);
    out[6 + i] = nibbles(low & 15, high & 15);
  }
  std::memcpy(out + 2, &fifth_bits, sizeof fifth_bits);
}

void put_q8_0(const int32_t* values, std::byte* out) {
  for (size_t i = 0; i < kBlock; ++i) out[2 + i] = static_cast<std::byte>(values[i] & 0xFF);
}

class IntegerRows : public RowMaker {
 public:
  explicit IntegerRows(IntegerWeight weight)
      : weight_(std::move(weight)),
        reach_(reach_of(weight_)),
        in_blocks_(is_in_blocks(weight_) && has_f16_scales(weight_)) {}

  bool can_make(DType type) const override {
    if (type == DType::f32) return true;
    const auto reach = std::ranges::find(kReaches, type, &Reach::type);
    return in_blocks_ && reach != std::end(kReaches) && reach_.low >= reach->low &&
           reach_.high <= reach->high;
  }

  void make(DType type, uint64_t, std::span<const uint64_t> rows, std::byte* out) const override {
    CHECK(can_make(type));
    std::vector<int16_t> codes(kRowsAtOnce * weight_.cols);
    Groups groups(weight_.n_groups);
    for (size_t done = 0; done < rows.size(); done += kRowsAtOnce) {
      const auto some = rows.subspan(done, std::min(kRowsAtOnce, rows.size() - done));
      weight_.codes(some, codes.data());
      for (size_t i = 0; i < some.size(); ++i) {
        read_groups(some[i], groups);
        put_row(type, codes.data() + i * weight_.cols, groups, out);
        out += tensor::bytes_of(type, weight_.cols);
      }
    }
  }

 private:
  // Of one row.
  struct Groups {
    explicit Groups(uint64_t n) : scales(n), zeros(n) {}
    std::vector<float> scales;
    std::vector<int32_t> zeros;
  };

  void read_groups(uint64_t row, Groups& groups) const {
    for (uint64_t group = 0; group < weight_.n_groups; ++group) {
      const float scale = weight_.scale(row, group);
      if (!std::isfinite(scale)) {
        throw Error(Code::invalid_argument,
                    fmt::format("{} holds a number that is NaN or infinite: row {}, group {}",
                                weight_.scales, row, group),
                    "the file is damaged or was converted wrongly: fetch it again");
      }
      groups.scales[group] = scale;
      groups.zeros[group] = weight_.zero ? weight_.zero(row, group) : 0;
    }
  }

  void put_row(DType type, const int16_t* codes, const Groups& groups, std::byte* out) const {
    if (type == DType::f32) return put_floats(codes, groups, out);
    const size_t block_bytes = tensor::dtype_info(type).block_bytes;
    for (uint64_t begin = 0; begin < weight_.cols; begin += kBlock, out += block_bytes) {
      const uint64_t group = group_at(weight_, begin);
      int32_t values[kBlock];
      for (uint64_t i = 0; i < kBlock; ++i) values[i] = codes[begin + i] - groups.zeros[group];
      put_half(groups.scales[group], out);
      if (type == DType::q4_0) put_q4_0(values, out);
      if (type == DType::q5_0) put_q5_0(values, out);
      if (type == DType::q8_0) put_q8_0(values, out);
    }
  }

  void put_floats(const int16_t* codes, const Groups& groups, std::byte* out) const {
    for (uint64_t col = 0; col < weight_.cols; ++col) {
      const uint64_t group = group_at(weight_, col);
      const float value =
          static_cast<float>(codes[col] - groups.zeros[group]) * groups.scales[group];
      std::memcpy(out + col * sizeof value, &value, sizeof value);
    }
  }

  IntegerWeight weight_;
  Reach reach_;
  bool in_blocks_;
};

}  // namespace

std::shared_ptr<const RowMaker> integer_rows(IntegerWeight weight) {
  return std::make_shared<IntegerRows>(std::move(weight));
}

DType smallest_type(const RowMaker& rows) {
  for (const Reach& reach : kReaches) {
    if (rows.can_make(reach.type)) return reach.type;
  }
  return DType::f32;
}

}  // namespace strata::models
