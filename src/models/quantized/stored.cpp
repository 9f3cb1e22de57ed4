#include "models/quantized/stored.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/half.h"

namespace strata::models {
namespace {

std::string text_of(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t n : shape) text += fmt::format("{}{}", text.empty() ? "" : " x ", n);
  return text.empty() ? "of one number" : text;
}

uint16_t half_at(std::span<const std::byte> bytes, uint64_t i) {
  uint16_t half;
  std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
  return half;
}

float power_of_two(uint8_t exponent) {
  if (exponent == 0xFF) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, static_cast<int>(exponent) - 127);
}

}  // namespace

const SafeTensor* Stored::find(const std::string& name) const {
  const SafeTensor* tensor = folder_.find(name);
  if (tensor != nullptr && tensor->by_columns) refuse(*tensor, "lies column by column");
  return tensor;
}

std::string Stored::named(const SafeTensor& tensor) const {
  return fmt::format("{}: tensor '{}'", folder_.file_of(tensor), printable(tensor.name));
}

const SafeTensor& Stored::need(const std::string& name, const SafeTensor& beside) const {
  const SafeTensor* tensor = find(name);
  if (tensor == nullptr) refuse(beside, "is there without '{}'", printable(name));
  return *tensor;
}

void Stored::expect_type(const SafeTensor& tensor, std::initializer_list<SafeType> types) const {
  if (std::ranges::find(types, tensor.type) != types.end()) return;
  std::string list;
  for (const SafeType type : types)
    list += (list.empty() ? "" : ", ") + std::string(safe_type_name(type));
  refuse(tensor, "has dtype {}, expected {}", safe_type_name(tensor.type), list);
}

void Stored::expect_shape(const SafeTensor& tensor, const std::vector<uint64_t>& shape,
                          std::string_view why) const {
  if (tensor.shape == shape) return;
  refuse(tensor, "has shape {}, expected {} ({})", text_of(tensor.shape), text_of(shape), why);
}

float number_at(const SafeTensor& tensor, uint64_t i) {
  switch (tensor.type) {
    case SafeType::f16:
      return tensor::f16_to_f32(half_at(tensor.bytes, i));
    case SafeType::bf16:
      return tensor::bf16_to_f32(half_at(tensor.bytes, i));
    case SafeType::u8:
    case SafeType::f8_e8m0:
      return power_of_two(static_cast<uint8_t>(tensor.bytes[i]));
    default:
      return std::bit_cast<float>(word_at(tensor.bytes, i));
  }
}

std::optional<std::string> without(std::string_view name, std::string_view ending) {
  if (!name.ends_with(ending)) return std::nullopt;
  return std::string(name.substr(0, name.size() - ending.size()));
}

}  // namespace strata::models
