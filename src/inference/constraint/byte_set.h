// A set of bytes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace strata::inference {

struct ByteSet {
  std::array<uint64_t, 4> words{};

  static ByteSet of(uint8_t first, uint8_t last) {
    ByteSet set;
    for (unsigned b = first; b <= last; ++b) set.add(static_cast<uint8_t>(b));
    return set;
  }
  static ByteSet all() { return {{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}}}; }
  void add(uint8_t byte) { words[byte >> 6] |= uint64_t{1} << (byte & 63); }
  bool has(uint8_t byte) const { return (words[byte >> 6] >> (byte & 63) & 1) != 0; }
  bool empty() const { return (words[0] | words[1] | words[2] | words[3]) == 0; }
  int count() const {
    int n = 0;
    for (const uint64_t word : words) n += std::popcount(word);
    return n;
  }
  ByteSet operator~() const { return {{~words[0], ~words[1], ~words[2], ~words[3]}}; }
  ByteSet operator|(const ByteSet& o) const {
    ByteSet r;
    for (size_t i = 0; i < 4; ++i) r.words[i] = words[i] | o.words[i];
    return r;
  }
  ByteSet operator&(const ByteSet& o) const {
    ByteSet r;
    for (size_t i = 0; i < 4; ++i) r.words[i] = words[i] & o.words[i];
    return r;
  }
  // The byte of a set that has one.
  std::optional<uint8_t> single() const {
    std::optional<uint8_t> found;
    for (size_t i = 0; i < 4; ++i) {
      if (words[i] == 0) continue;
      if (found || !std::has_single_bit(words[i])) return std::nullopt;
      found = static_cast<uint8_t>(64 * i + static_cast<size_t>(std::countr_zero(words[i])));
    }
    return found;
  }
  // Calls `with` for every byte, the least first.
  void each(const auto& with) const {
    for (size_t i = 0; i < 4; ++i) {
      for (uint64_t left = words[i]; left != 0; left &= left - 1) {
        with(static_cast<uint8_t>(64 * i + static_cast<size_t>(std::countr_zero(left))));
      }
    }
  }
  bool operator==(const ByteSet&) const = default;
};

}  // namespace strata::inference
