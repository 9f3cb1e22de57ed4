// CRC-32C (Castagnoli), which TensorFlow's and LevelDB's files carry (RFC 3720, appendix B.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace strata {

uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace strata
