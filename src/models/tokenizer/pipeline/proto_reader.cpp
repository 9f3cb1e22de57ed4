#include "models/tokenizer/pipeline/proto_reader.h"

#include <cstring>

#include "core/error.h"

namespace strata::models {

void ProtoReader::refuse(std::string_view why) const {
  throw Error(Code::invalid_argument, fmt::format("{}: {} at byte {}", what_, why, at_));
}

uint64_t ProtoReader::read_varint() {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    if (at_ >= bytes_.size()) refuse("ends inside a number");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  refuse("a number of more than ten bytes");
}

std::string_view ProtoReader::take(uint64_t count) {
  if (count > bytes_.size() - at_) refuse(fmt::format("ends inside a field of {} bytes", count));
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

bool ProtoReader::next() {
  if (at_ >= bytes_.size()) return false;
  const uint64_t tag = read_varint();
  if (tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1) refuse("no field number");
  field_ = static_cast<uint32_t>(tag >> 3);
  wire_ = static_cast<Wire>(tag & 7);
  switch (wire_) {
    case Wire::varint:
      number_ = read_varint();
      return true;
    case Wire::fixed64:
      value_ = take(8);
      return true;
    case Wire::bytes:
      value_ = take(read_varint());
      return true;
    case Wire::fixed32:
      value_ = take(4);
      return true;
  }
  refuse(fmt::format("wire type {}", tag & 7));
}

void ProtoReader::require(Wire wire, std::string_view name) const {
  if (wire_ != wire) refuse(fmt::format("field {} is no {}", field_, name));
}

uint64_t ProtoReader::varint() const {
  require(Wire::varint, "number");
  return number_;
}

float ProtoReader::float32() const {
  require(Wire::fixed32, "float");
  float value;
  std::memcpy(&value, value_.data(), sizeof value);
  return value;
}

std::string_view ProtoReader::bytes() const {
  require(Wire::bytes, "text");
  return value_;
}

}  // namespace strata::models
