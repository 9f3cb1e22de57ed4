// A set of a vocabulary's ids, as bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace strata::inference {

using TokenBits = std::vector<uint64_t>;

inline void allow(TokenBits& bits, int32_t token) {
  bits[static_cast<size_t>(token) >> 6] |= uint64_t{1} << (token & 63);
}

inline void forbid(TokenBits& bits, int32_t token) {
  bits[static_cast<size_t>(token) >> 6] &= ~(uint64_t{1} << (token & 63));
}

inline void unite(TokenBits& bits, const TokenBits& others) {
  for (size_t word = 0; word < others.size(); ++word) bits[word] |= others[word];
}

inline bool has(const TokenBits& bits, int32_t token) {
  return (bits[static_cast<size_t>(token) >> 6] >> (token & 63) & 1) != 0;
}

struct TokenMask {
  TokenBits bits;
  bool has(int32_t id) const { return inference::has(bits, id); }
  // Whether it has any of the n ids from `first` on; n divides 64, and first is a multiple of it.
  template <size_t n>
  bool has_any(int64_t first) const {
    static_assert(64 % n == 0);
    const auto bit = static_cast<size_t>(first);
    if (bit / 64 >= bits.size()) return false;
    return (bits[bit / 64] >> (bit % 64) & (~uint64_t{0} >> (64 - n))) != 0;
  }
};

// The logits with -inf for what is not allowed, and for what the mask does not reach.
void keep_allowed(std::span<const float> logits, const TokenMask& mask, std::vector<float>& out);

}  // namespace strata::inference
