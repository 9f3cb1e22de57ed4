// safetensors: the tensors of one file in memory. A file is a header's length (u64), the header
// (JSON: name -> dtype, shape, bytes from and to), and the bytes
// (https://huggingface.co/docs/safetensors/index#format). Everything is checked when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

enum class SafeType : uint8_t {
  boolean,
  u8,
  i8,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  u16,
  i16,
  f16,
  bf16,
  u32,
  i32,
  f32,
  u64,
  i64,
  f64,
};

struct SafeTensor {
  std::string name;
  SafeType type = SafeType::f32;
  std::vector<uint64_t> shape;  // slowest first; none: one number
  std::span<const std::byte> bytes;
  // The bytes are those of the transposed matrix (other formats than safetensors); two dimensions.
  bool by_columns = false;

  uint64_t n_elements() const;
};

std::string_view safe_type_name(SafeType type);
size_t safe_type_bytes(SafeType type);

// In the order of their bytes; views into `bytes`, aligned to nothing.
// `file` names the file in errors. Error{invalid_argument}: the header is longer than the file or
// kMaxSafetensorsHeader, no JSON, lacks a field; a dtype that is none of the above; a shape whose
// bytes are not those between the offsets; bytes that overlap, leave holes or lie beyond the end.
std::vector<SafeTensor> parse_safetensors(std::span<const std::byte> bytes, std::string_view file);

}  // namespace strata::models
