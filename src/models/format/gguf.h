// GGUF: a memory-mapped model file, versions 2 and 3, split files included.
// Every length, count, offset, type and name is checked at open; afterwards all views are valid for
// the life of the object. Specification: docs/formats.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace strata::models {

enum class GgufType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

// One value of the metadata, as a view into the mapped file.
struct GgufValue {
  std::string_view key;
  GgufType type = GgufType::u8;
  GgufType element = GgufType::u8;   // of an array
  uint64_t count = 1;                // elements of an array
  std::span<const std::byte> bytes;  // scalar or array payload; a string's characters
};

struct TensorInfo {
  std::string_view name;
  tensor::DType type = tensor::DType::f32;
  // GGUF order: shape[0] is the fastest index (columns), shape[1] rows; unused dimensions are 1.
  std::array<uint64_t, 4> shape{1, 1, 1, 1};
  uint32_t n_dims = 1;
  std::span<const std::byte> data;

  uint64_t cols() const { return shape[0]; }
  uint64_t rows() const { return shape[1] * shape[2] * shape[3]; }
  uint64_t n_weights() const { return cols() * rows(); }
};

class GgufFile {
 public:
  // Opens one file, or all parts of a split model when given its first part.
  // Errors: not_found, invalid_argument (malformed, with byte offset), unimplemented (version,
  // byte order, tensor type).
  static std::shared_ptr<const GgufFile> open(const std::filesystem::path& path);
  // The same checks on bytes in memory (tests, fuzzing); `bytes` must outlive the object.
  static std::shared_ptr<const GgufFile> parse(std::span<const std::byte> bytes);
  virtual ~GgufFile() = default;

  virtual uint32_t version() const = 0;
  virtual uint64_t file_bytes() const = 0;  // of all parts
  virtual std::span<const GgufValue> values() const = 0;
  virtual std::span<const TensorInfo> tensors() const = 0;
  virtual const GgufValue* find(std::string_view key) const = 0;
  virtual const TensorInfo* find_tensor(std::string_view name) const = 0;
  // Tells the system that the pages of this tensor will not be read again (after packing).
  virtual void release(const TensorInfo& tensor) const = 0;

  // Typed look-ups. nullopt when absent; Error{invalid_argument} when the type is another one.
  // Any integer type serves for an integer when the value fits, f32 and f64 for a float.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string_view> text(std::string_view key) const;
  std::optional<std::vector<int64_t>> integers(std::string_view key) const;
  std::optional<std::vector<float>> numbers(std::string_view key) const;
  std::optional<std::vector<std::string_view>> texts(std::string_view key) const;
};

}  // namespace strata::models
