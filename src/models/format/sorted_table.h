// A sorted table as LevelDB and TensorFlow write it: blocks of keys, each written as what differs
// from the key before, a block that says where they are, and a footer
// (leveldb/doc/table_format.md).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "core/bytes.h"

namespace strata::models {

// Little-endian groups of 7 bits, also protocol buffers'. Error{invalid_argument}: more than 64
// bits.
uint64_t read_varint(ByteReader& reader, std::string_view what);
// A checksum as these files store it, turned so that a checksum of checksums says something.
uint32_t masked_crc32c(std::span<const std::byte> bytes);

// Hands out each key with its value, in order. `file` names the file in errors.
// Error{invalid_argument}: no table, cut, a wrong checksum, keys out of order, blocks outside of
// the file or read twice. Error{unimplemented}: a compressed block.
void read_sorted_table(
    std::span<const std::byte> bytes, std::string_view file,
    const std::function<void(std::string_view key, std::span<const std::byte> value)>& sink);

}  // namespace strata::models
