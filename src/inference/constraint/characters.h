// A set of characters, those beyond ASCII as one.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace strata::inference {

struct Characters {
  std::array<uint64_t, 2> ascii{};
  bool beyond = false;

  // Of a byte of UTF-8.
  void add(uint8_t byte) {
    if (byte < 0x80) {
      ascii[byte >> 6] |= uint64_t{1} << (byte & 63);
    } else {
      beyond = true;
    }
  }
  bool has(uint8_t byte) const {
    return byte < 0x80 ? (ascii[byte >> 6] >> (byte & 63) & 1) != 0 : beyond;
  }
  bool has(const Characters& other) const { return other.without(*this).empty(); }
  bool empty() const { return (ascii[0] | ascii[1]) == 0 && !beyond; }
  int count() const {  // those beyond ASCII are one
    return std::popcount(ascii[0]) + std::popcount(ascii[1]) + (beyond ? 1 : 0);
  }
  Characters without(const Characters& o) const {
    return {{ascii[0] & ~o.ascii[0], ascii[1] & ~o.ascii[1]}, beyond && !o.beyond};
  }
  Characters operator&(const Characters& o) const {
    return {{ascii[0] & o.ascii[0], ascii[1] & o.ascii[1]}, beyond && o.beyond};
  }
  Characters operator|(const Characters& o) const {
    return {{ascii[0] | o.ascii[0], ascii[1] | o.ascii[1]}, beyond || o.beyond};
  }
  auto operator<=>(const Characters&) const = default;
};

}  // namespace strata::inference
