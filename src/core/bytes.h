// Overflow-checked arithmetic and a bounds-checked little-endian reader for bytes from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace strata {

// a * b, a + b; Error{invalid_argument} naming `what` when the result does not fit.
inline uint64_t checked_mul(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} x {} overflows", what, a, b));
  }
  return result;
}

inline uint64_t checked_add(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} + {} overflows", what, a, b));
  }
  return result;
}

// Reads little-endian scalars and slices from a span; never past its end.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, size_t offset = 0)
      : bytes_(bytes), offset_(offset) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  template <typename T>
  T read(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(uint64_t size, std::string_view what) {
    if (size > remaining()) {
      throw Error(Code::invalid_argument,
                  fmt::format("truncated: {} needs {} bytes at offset {}, {} are left", what, size,
                              offset_, remaining()));
    }
    const auto slice = bytes_.subspan(offset_, static_cast<size_t>(size));
    offset_ += static_cast<size_t>(size);
    return slice;
  }

  std::string_view take_text(uint64_t size, std::string_view what) {
    const auto slice = take(size, what);
    return {reinterpret_cast<const char*>(slice.data()), slice.size()};
  }

 private:
  std::span<const std::byte> bytes_;
  size_t offset_;
};

}  // namespace strata
