// A model as its files hold it: metadata and tensors, whatever the format. Keys and tensors have
// GGUF's names, which is what families read; a format that has others translates when it opens.
// Every length, count, offset, type and name is checked at open; afterwards all views are valid for
// the life of the object.
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

enum class MetaType : uint32_t {
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

// One value of the metadata, a view into what the file object holds.
struct MetaValue {
  std::string_view key;
  MetaType type = MetaType::u8;
  MetaType element = MetaType::u8;   // of an array
  uint64_t count = 1;                // elements of an array
  std::span<const std::byte> bytes;  // scalar or array payload; a string's characters
};

// Bytes of one element of a scalar type; 0 for string and array.
size_t meta_scalar_bytes(MetaType type);
// "u32", "string"; "type 77" for an id that is none.
std::string meta_type_name(uint32_t type);
// Error{invalid_argument} when it is no integer, or one that an int64 can't hold.
int64_t integer_of(const MetaValue& value);

struct TensorInfo {
  std::string_view name;
  tensor::DType type = tensor::DType::f32;
  // GGUF order: shape[0] is the fastest index (columns), shape[1] rows; unused dimensions are 1.
  std::array<uint64_t, 4> shape{1, 1, 1, 1};
  uint32_t n_dims = 1;
  // Its bytes as they lie in a mapped file; empty where they are made when asked for. Read them
  // through ModelFile::bytes.
  std::span<const std::byte> mapped;

  uint64_t cols() const { return shape[0]; }
  uint64_t rows() const { return shape[1] * shape[2] * shape[3]; }
  uint64_t n_weights() const { return cols() * rows(); }
  uint64_t size_bytes() const { return tensor::bytes_of(type, n_weights()); }
};

// The bytes of a tensor, rows one after another.
struct TensorBytes {
  std::span<const std::byte> view;
  std::shared_ptr<const void> owner;  // keeps `view` alive; null: the file does
};

class ModelFile {
 public:
  virtual ~ModelFile() = default;

  virtual std::string format() const = 0;   // for people: "GGUF 3"
  virtual uint64_t file_bytes() const = 0;  // of all parts
  virtual std::span<const MetaValue> values() const = 0;
  virtual std::span<const TensorInfo> tensors() const = 0;
  virtual const MetaValue* find(std::string_view key) const = 0;
  virtual const TensorInfo* find_tensor(std::string_view name) const = 0;
  // Bytes [begin, begin + size) of one of tensors(). Files that make them when asked for make no
  // more than the matrix of a stack that holds them. Thread-safe.
  virtual TensorBytes bytes(const TensorInfo& tensor, uint64_t begin, uint64_t size) const;
  TensorBytes bytes(const TensorInfo& tensor) const {
    return bytes(tensor, 0, tensor.size_bytes());
  }
  // What the tensor is called where it is stored, for people.
  virtual std::string stored_name(std::string_view name) const { return std::string(name); }
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
