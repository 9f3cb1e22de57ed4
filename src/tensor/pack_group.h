// Reads the stored blocks of one weight row, a group of 32 (or a K-quant's 256) at a time, as
// unsigned quants in k order. Internal to packing.
#pragma once

#include <cstdint>
#include <cstring>

namespace strata::tensor::pack {

// 32 quants: word j holds k 4j..4j+3, first in the lowest byte.
struct Quants {
  uint32_t word[8];
};

inline uint32_t word_at(const uint8_t* p) {
  uint32_t w;
  std::memcpy(&w, p, 4);
  return w;
}
inline uint16_t half_at(const uint8_t* p) {
  uint16_t h;
  std::memcpy(&h, p, 2);
  return h;
}

// Bits 0..3 of x as the lowest bits of four bytes.
inline uint32_t spread_bits(uint32_t x) {
  return ((x & 15U) * 0x00204081U) & 0x01010101U;
}

// 16 bytes of nibbles: elements 0..15 in the low halves, 16..31 in the high ones.
inline Quants nibbles(const uint8_t* p) {
  Quants q;
  for (int j = 0; j < 4; ++j) {
    const uint32_t w = word_at(p + 4 * j);
    q.word[j] = w & 0x0f0f0f0fU;
    q.word[j + 4] = (w >> 4) & 0x0f0f0f0fU;
  }
  return q;
}

// The same with a 32-bit plane of fifth bits in element order.
inline Quants nibbles_and_fifth(const uint8_t* p, uint32_t plane) {
  Quants q = nibbles(p);
  for (int j = 0; j < 8; ++j) q.word[j] |= spread_bits(plane >> 4 * j) << 4;
  return q;
}

inline Quants signed_bytes(const uint8_t* p) {
  Quants q;
  for (int j = 0; j < 8; ++j) q.word[j] = word_at(p + 4 * j) ^ 0x80808080U;
  return q;
}

// Sub-block s (0..7) of Q4_K and Q5_K: 6-bit scale and min, packed in 12 bytes.
struct ScaleMin {
  uint8_t scale, min;
};
inline ScaleMin k_scale_min(const uint8_t* p, int s) {
  if (s < 4) return {static_cast<uint8_t>(p[s] & 63), static_cast<uint8_t>(p[s + 4] & 63)};
  return {static_cast<uint8_t>((p[s + 4] & 15) | (p[s - 4] >> 6) << 4),
          static_cast<uint8_t>(p[s + 4] >> 4 | (p[s] >> 6) << 4)};
}

// Sub-block s of the 128 nibble bytes of Q4_K and Q5_K; `fifth`: the 32 bytes of upper bits, or
// null.
inline Quants k_nibbles(const uint8_t* nibble_bytes, const uint8_t* fifth, int s) {
  Quants q;
  for (int j = 0; j < 8; ++j) {
    const uint32_t w = word_at(nibble_bytes + 32 * (s / 2) + 4 * j);
    q.word[j] = (w >> 4 * (s % 2)) & 0x0f0f0f0fU;
    if (fifth != nullptr) q.word[j] |= ((word_at(fifth + 4 * j) >> s) & 0x01010101U) << 4;
  }
  return q;
}

// Group g (0..7) of Q6_K: quant = value + 32.
inline Quants q6k_group(const uint8_t* block, int g) {
  const uint8_t* low = block + 64 * (g / 4) + 32 * (g % 2);
  const uint8_t* high = block + 128 + 32 * (g / 4);
  Quants q;
  for (int j = 0; j < 8; ++j) {
    const uint32_t nibble = (word_at(low + 4 * j) >> (g % 4 < 2 ? 0 : 4)) & 0x0f0f0f0fU;
    const uint32_t upper = (word_at(high + 4 * j) >> 2 * (g % 4)) & 0x03030303U;
    q.word[j] = nibble | upper << 4;
  }
  return q;
}

// Group g of Q3_K, as 6 bits: quant = value + 32, value -4..3.
inline Quants q3k_group(const uint8_t* block, int g) {
  const uint8_t* mask = block;
  const uint8_t* low = block + 32 + 32 * (g / 4);
  Quants q;
  for (int j = 0; j < 8; ++j) {
    const uint32_t two = (word_at(low + 4 * j) >> 2 * (g % 4)) & 0x03030303U;
    const uint32_t bit = (word_at(mask + 4 * j) >> g) & 0x01010101U;
    q.word[j] = two + 4 * bit + 0x1c1c1c1cU;
  }
  return q;
}

// Scale i (0..15) of Q3_K: 6 bits in 12 bytes, minus 32.
inline int8_t q3k_scale(const uint8_t* p, int i) {
  const int low = i < 8 ? p[i] & 15 : p[i - 8] >> 4;
  const int high = (p[8 + i % 4] >> 2 * (i / 4)) & 3;
  return static_cast<int8_t>((low | high << 4) - 32);
}

}  // namespace strata::tensor::pack
