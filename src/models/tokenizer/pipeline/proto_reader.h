// Reads Protocol Buffers' wire format, field after field, within given bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::models {

class ProtoReader {
 public:
  // `what` names the file in errors.
  ProtoReader(std::string_view bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  // Goes to the next field; false: there is none. Errors: invalid_argument when the bytes end
  // inside of it or its wire type is unknown.
  bool next();
  uint32_t field() const { return field_; }
  // The value. Errors: invalid_argument when the field is of another wire type.
  uint64_t varint() const;
  float float32() const;
  std::string_view bytes() const;

 private:
  enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

  [[noreturn]] void refuse(std::string_view why) const;
  uint64_t read_varint();
  std::string_view take(uint64_t count);
  void require(Wire wire, std::string_view name) const;

  std::string_view bytes_;
  std::string_view what_;
  size_t at_ = 0;
  uint32_t field_ = 0;
  Wire wire_ = Wire::varint;
  uint64_t number_ = 0;
  std::string_view value_;
};

}  // namespace strata::models
