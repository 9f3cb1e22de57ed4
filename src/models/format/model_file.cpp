#include "models/format/model_file.h"

#include <cstring>
#include <limits>

#include "core/bytes.h"
#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse_type(const MetaValue& value, std::string_view wanted) {
  std::string found = meta_type_name(static_cast<uint32_t>(value.type));
  if (value.type == MetaType::array) {
    found += " of " + meta_type_name(static_cast<uint32_t>(value.element));
  }
  throw Error(Code::invalid_argument,
              fmt::format("metadata key '{}' has type {}, not {}", value.key, found, wanted));
}

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

bool is_integer(MetaType type) {
  return type <= MetaType::i32 || type == MetaType::u64 || type == MetaType::i64;
}

int64_t load_integer(const MetaValue& value, MetaType type, const std::byte* at) {
  switch (type) {
    case MetaType::u8:
      return load<uint8_t>(at);
    case MetaType::i8:
      return load<int8_t>(at);
    case MetaType::u16:
      return load<uint16_t>(at);
    case MetaType::i16:
      return load<int16_t>(at);
    case MetaType::u32:
      return load<uint32_t>(at);
    case MetaType::i32:
      return load<int32_t>(at);
    case MetaType::i64:
      return load<int64_t>(at);
    case MetaType::u64: {
      const auto number = load<uint64_t>(at);
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        throw Error(Code::invalid_argument,
                    fmt::format("metadata key '{}' is {}, too large", value.key, number));
      }
      return static_cast<int64_t>(number);
    }
    default:
      refuse_type(value, "an integer");
  }
}

}  // namespace

TensorBytes ModelFile::bytes(const TensorInfo& tensor, uint64_t begin, uint64_t size) const {
  return {tensor.mapped.subspan(static_cast<size_t>(begin), static_cast<size_t>(size)), nullptr};
}

int64_t integer_of(const MetaValue& value) {
  return load_integer(value, value.type, value.bytes.data());
}

std::optional<int64_t> ModelFile::integer(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  return integer_of(*value);
}

std::optional<double> ModelFile::number(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == MetaType::f32) return load<float>(value->bytes.data());
  if (value->type == MetaType::f64) return load<double>(value->bytes.data());
  refuse_type(*value, "a floating-point number");
}

std::optional<bool> ModelFile::boolean(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != MetaType::boolean) refuse_type(*value, "bool");
  return value->bytes[0] != std::byte{0};
}

std::optional<std::string_view> ModelFile::text(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != MetaType::string) refuse_type(*value, "string");
  return std::string_view(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size());
}

std::optional<std::vector<int64_t>> ModelFile::integers(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != MetaType::array || !is_integer(value->element)) {
    refuse_type(*value, "array of integers");
  }
  const size_t stride = meta_scalar_bytes(value->element);
  std::vector<int64_t> out(static_cast<size_t>(value->count));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = load_integer(*value, value->element, value->bytes.data() + i * stride);
  }
  return out;
}

std::optional<std::vector<float>> ModelFile::numbers(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool single = value->element == MetaType::f32;
  if (value->type != MetaType::array || (!single && value->element != MetaType::f64)) {
    refuse_type(*value, "array of floating-point numbers");
  }
  std::vector<float> out(static_cast<size_t>(value->count));
  for (size_t i = 0; i < out.size(); ++i) {
    const std::byte* at = value->bytes.data() + i * meta_scalar_bytes(value->element);
    out[i] = single ? load<float>(at) : static_cast<float>(load<double>(at));
  }
  return out;
}

std::optional<std::vector<std::string_view>> ModelFile::texts(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != MetaType::array || value->element != MetaType::string) {
    refuse_type(*value, "array of strings");
  }
  ByteReader reader(value->bytes);
  std::vector<std::string_view> out;
  out.reserve(static_cast<size_t>(value->count));
  for (uint64_t i = 0; i < value->count; ++i) {
    out.push_back(reader.take_text(reader.read<uint64_t>(key), key));
  }
  return out;
}

}  // namespace strata::models
