// The types whose weights are entries of code books (iq_tables.h) with signs beside them.
#include <bit>

#include "tensor/dequant_blocks.h"
#include "tensor/iq_tables.h"

namespace strata::tensor::blocks {
namespace {

// Eight sign bits from seven: the number of minus signs is even.
unsigned even_signs(unsigned seven) {
  return seven | (static_cast<unsigned>(std::popcount(seven)) & 1u) << 7;
}

float signed_value(float value, unsigned signs, int index) {
  return (signs >> index) & 1u ? -value : value;
}

// Eight weights from one entry of a book of eights.
float* put8(float* out, float scale, const uint8_t* entry, unsigned signs) {
  for (int i = 0; i < 8; ++i) *out++ = signed_value(scale * static_cast<float>(entry[i]), signs, i);
  return out;
}

// Eight weights from two entries of a book of fours.
float* put44(float* out, float scale, const uint8_t* first, const uint8_t* second, unsigned signs) {
  for (int i = 0; i < 4; ++i) *out++ = signed_value(scale * static_cast<float>(first[i]), signs, i);
  for (int i = 0; i < 4; ++i) {
    *out++ = signed_value(scale * static_cast<float>(second[i]), signs, i + 4);
  }
  return out;
}

float* put_ternary(float* out, float scale, const int8_t* entry, float shift) {
  for (int i = 0; i < 8; ++i) *out++ = scale * (static_cast<float>(entry[i]) + shift);
  return out;
}

float quarter_scale(float d, unsigned nibble) {
  return d * (0.5f + static_cast<float>(nibble)) * 0.25f;
}

constexpr float kShift = 0.125f;  // of the ternary values of IQ1_S and IQ1_M

}  // namespace

// d; per 32 weights four indices of a byte, then four times seven signs and a 4-bit scale.
void iq2_xxs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int group = 0; group < 8; ++group) {
    const uint8_t* indices = block + 2 + group * 8;
    const uint32_t rest = load_u32(indices + 4);
    const float scale = quarter_scale(d, rest >> 28);
    for (int i = 0; i < 4; ++i) {
      out = put8(out, scale, kIq2XxsGrid[indices[i]].data(), even_signs((rest >> (7 * i)) & 127u));
    }
  }
}

// d; per 8 weights 9 bits of index and seven signs; a nibble of scale per 16.
void iq2_xs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i) {
    const unsigned code = load_u16(block + 2 + 2 * i);
    const unsigned nibble = (block[66 + i / 4] >> (i / 2 % 2 * 4)) & 15u;
    out =
        put8(out, quarter_scale(d, nibble), kIq2XsGrid[code & 511u].data(), even_signs(code >> 9));
  }
}

// d; 32 low bytes of index, 32 of signs, 8 of two high bits each, 8 of scales.
void iq2_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i) {
    const unsigned high = (block[66 + i / 4] >> (i % 4 * 2)) & 3u;
    const unsigned nibble = (block[74 + i / 4] >> (i / 2 % 2 * 4)) & 15u;
    out = put8(out, quarter_scale(d, nibble), kIq2SGrid[block[2 + i] | (high << 8)].data(),
               block[34 + i]);
  }
}

// d; 64 indices of a byte; per 32 weights four times seven signs and a 4-bit scale.
void iq3_xxs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const auto& grid = kIq3XxsGrid;
  for (int group = 0; group < 8; ++group) {
    const uint8_t* indices = block + 2 + group * 8;
    const uint32_t rest = load_u32(block + 66 + group * 4);
    const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
    for (int i = 0; i < 4; ++i) {
      out = put44(out, scale, grid[indices[2 * i]].data(), grid[indices[2 * i + 1]].data(),
                  even_signs((rest >> (7 * i)) & 127u));
    }
  }
}

// d; 64 low bytes of index, 8 bytes of ninth bits, 32 of signs, 4 of scales (a nibble per 32).
void iq3_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const auto& grid = kIq3SGrid;
  const auto entry = [&](int i) {
    const unsigned high = (block[66 + i / 8] >> (i % 8)) & 1u;
    return grid[block[2 + i] | (high << 8)].data();
  };
  for (int i = 0; i < 32; ++i) {
    const int nibble = (block[106 + i / 8] >> (i / 4 % 2 * 4)) & 15;
    const float scale = d * static_cast<float>(1 + 2 * nibble);
    out = put44(out, scale, entry(2 * i), entry(2 * i + 1), block[74 + i]);
  }
}

// d; 32 low bytes of index; per 32 weights 16 bits: four times three high bits of index, three
// of scale, one that turns the shift.
void iq1_s(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int group = 0; group < 8; ++group) {
    const unsigned high = load_u16(block + 34 + 2 * group);
    const float scale = d * static_cast<float>(2 * ((high >> 12) & 7u) + 1);
    const float shift = high & 0x8000u ? -kShift : kShift;
    for (int i = 0; i < 4; ++i) {
      const unsigned index = block[2 + group * 4 + i] | (((high >> (3 * i)) & 7u) << 8);
      out = put_ternary(out, scale, kIq1Grid[index].data(), shift);
    }
  }
}

uint16_t iq1_m_scale_bits(const uint8_t* block) {
  unsigned bits = 0;
  for (int i = 0; i < 4; ++i) bits |= unsigned{load_u16(block + 48 + 2 * i)} >> 12 << (4 * i);
  return static_cast<uint16_t>(bits);
}

// 32 low bytes of index; 16 bytes with, per 8 weights, three high bits of index and one that turns
// the shift; four 16-bit words with four 3-bit scales (per 16 weights) and a nibble of d each.
void iq1_m(const uint8_t* block, float* out) {
  const float d = f16_to_f32(iq1_m_scale_bits(block));
  for (int i = 0; i < 32; ++i) {
    const unsigned high = (block[32 + i / 2] >> (i % 2 * 4)) & 15u;
    const unsigned word = load_u16(block + 48 + i / 8 * 2);
    const float scale = d * static_cast<float>(2 * ((word >> (i / 2 % 4 * 3)) & 7u) + 1);
    const unsigned index = block[i] | ((high & 7u) << 8);
    out = put_ternary(out, scale, kIq1Grid[index].data(), high & 8u ? -kShift : kShift);
  }
}

}  // namespace strata::tensor::blocks
