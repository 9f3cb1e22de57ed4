#include "models/format/safetensors.h"

#include <algorithm>
#include <array>

#include "core/bytes.h"
#include "core/error.h"
#include "core/json.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

struct TypeInfo {
  std::string_view name;
  SafeType type;
  size_t bytes;
};

constexpr std::array kTypes{
    TypeInfo{"BOOL", SafeType::boolean, 1},    TypeInfo{"U8", SafeType::u8, 1},
    TypeInfo{"I8", SafeType::i8, 1},           TypeInfo{"F8_E4M3", SafeType::f8_e4m3, 1},
    TypeInfo{"F8_E5M2", SafeType::f8_e5m2, 1}, TypeInfo{"F8_E8M0", SafeType::f8_e8m0, 1},
    TypeInfo{"U16", SafeType::u16, 2},         TypeInfo{"I16", SafeType::i16, 2},
    TypeInfo{"F16", SafeType::f16, 2},         TypeInfo{"BF16", SafeType::bf16, 2},
    TypeInfo{"U32", SafeType::u32, 4},         TypeInfo{"I32", SafeType::i32, 4},
    TypeInfo{"F32", SafeType::f32, 4},         TypeInfo{"U64", SafeType::u64, 8},
    TypeInfo{"I64", SafeType::i64, 8},         TypeInfo{"F64", SafeType::f64, 8},
};

const TypeInfo& info(SafeType type) {
  return *std::ranges::find(kTypes, type, &TypeInfo::type);
}

uint64_t read_count(const json::value& value, std::string_view name, std::string_view field,
                    const FileRefuser& refuse) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<uint64_t>(value.get_int64());
  refuse("{} of tensor '{}' is no whole number from 0 on", field, printable(name));
}

const json::array& read_list(const json::object& entry, std::string_view name,
                             std::string_view field, const FileRefuser& refuse) {
  const json::value* value = entry.if_contains(field);
  if (value == nullptr || !value->is_array()) {
    refuse("tensor '{}' has no list '{}'", printable(name), field);
  }
  return value->get_array();
}

SafeType read_type(const json::object& entry, std::string_view name, const FileRefuser& refuse) {
  const json::value* value = entry.if_contains("dtype");
  if (value == nullptr || !value->is_string()) refuse("tensor '{}' has no dtype", printable(name));
  const auto found =
      std::ranges::find(kTypes, std::string_view(value->get_string()), &TypeInfo::name);
  if (found == kTypes.end()) {
    refuse("tensor '{}' has dtype '{}', which is not known", printable(name),
           printable(value->get_string()));
  }
  return found->type;
}

SafeTensor read_tensor(std::string_view name, const json::value& value,
                       std::span<const std::byte> data, const FileRefuser& refuse) {
  if (!value.is_object()) refuse("tensor '{}' is no object", printable(name));
  const json::object& entry = value.get_object();
  SafeTensor tensor;
  tensor.name = name;
  tensor.type = read_type(entry, name, refuse);
  for (const json::value& n : read_list(entry, name, "shape", refuse)) {
    tensor.shape.push_back(read_count(n, name, "shape", refuse));
  }
  if (tensor.shape.size() > kMaxHfDimensions) {
    refuse("tensor '{}' has {} dimensions, the limit is {}", printable(name), tensor.shape.size(),
           kMaxHfDimensions);
  }
  const json::array& offsets = read_list(entry, name, "data_offsets", refuse);
  if (offsets.size() != 2) {
    refuse("tensor '{}' has {} data_offsets, not 2", printable(name), offsets.size());
  }
  const uint64_t begin = read_count(offsets[0], name, "data_offsets", refuse);
  const uint64_t end = read_count(offsets[1], name, "data_offsets", refuse);
  if (begin > end || end > data.size()) {
    refuse("tensor '{}' lies at bytes {} to {} of {}", printable(name), begin, end, data.size());
  }
  uint64_t size = info(tensor.type).bytes;
  for (const uint64_t n : tensor.shape) size = checked_mul(size, n, "shape");
  if (size != end - begin) {
    refuse("tensor '{}' needs {} bytes for its shape and has {}", printable(name), size,
           end - begin);
  }
  tensor.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
  return tensor;
}

void check_cover(const std::vector<SafeTensor>& tensors, std::span<const std::byte> data,
                 const FileRefuser& refuse) {
  const std::byte* end = data.data();
  for (const SafeTensor& tensor : tensors) {
    if (tensor.bytes.data() != end) {
      refuse("tensor '{}' {} the bytes before it", printable(tensor.name),
             tensor.bytes.data() < end ? "overlaps" : "leaves a hole behind");
    }
    end = tensor.bytes.data() + tensor.bytes.size();
  }
  if (end != data.data() + data.size()) {
    refuse("{} bytes behind the last tensor belong to none", data.data() + data.size() - end);
  }
}

json::object read_header(std::span<const std::byte> header, const FileRefuser& refuse) {
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  try {
    json::value value = parse_json(text, {.max_bytes = kMaxSafetensorsHeader, .max_depth = 8});
    if (value.is_object()) return std::move(value.get_object());
  } catch (const Error& error) {
    refuse("the header is no JSON: {}", error.message());
  }
  refuse("the header is no JSON object");
}

}  // namespace

uint64_t SafeTensor::n_elements() const {
  return bytes.size() / info(type).bytes;
}

std::string_view safe_type_name(SafeType type) {
  return info(type).name;
}

size_t safe_type_bytes(SafeType type) {
  return info(type).bytes;
}

std::vector<SafeTensor> parse_safetensors(std::span<const std::byte> bytes, std::string_view file) {
  const FileRefuser refuse(file);
  if (bytes.size() < 8) refuse("{} bytes are no safetensors file", bytes.size());
  const auto length = ByteReader(bytes).read<uint64_t>("header length");
  if (length > bytes.size() - 8 || length > kMaxSafetensorsHeader) {
    refuse("the header is {} bytes long; the file has {}, the limit is {}", length, bytes.size(),
           kMaxSafetensorsHeader);
  }
  const auto size = static_cast<size_t>(length);
  const json::object header = read_header(bytes.subspan(8, size), refuse);
  const auto data = bytes.subspan(8 + size);
  std::vector<SafeTensor> tensors;
  for (const auto& [name, value] : header) {
    if (name != "__metadata__") tensors.push_back(read_tensor(name, value, data, refuse));
  }
  std::ranges::sort(tensors, [](const SafeTensor& a, const SafeTensor& b) {
    if (a.bytes.data() != b.bytes.data()) return a.bytes.data() < b.bytes.data();
    return a.bytes.size() < b.bytes.size();
  });
  check_cover(tensors, data, refuse);
  return tensors;
}

}  // namespace strata::models
