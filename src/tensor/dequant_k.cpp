// Types with blocks of 256 weights that need no code book: K-quants, IQ4_XS, the ternary ones.
#include "tensor/dequant_blocks.h"

namespace strata::tensor::blocks {
namespace {

struct ScaleMin {
  float scale, min;
};

// Pair `index` (0..7) of the eight 6-bit scales and minima packed in 12 bytes (Q4_K, Q5_K): the
// first four whole in bytes 0..3 and 4..7; of the last four the low nibbles in bytes 8..11 and the
// high bits in the top of the first eight bytes.
ScaleMin packed_scale_min(const uint8_t* packed, int index) {
  if (index < 4) {
    return {static_cast<float>(packed[index] & 63), static_cast<float>(packed[index + 4] & 63)};
  }
  const int scale = (packed[index + 4] & 15) | ((packed[index - 4] >> 6) << 4);
  const int min = (packed[index + 4] >> 4) | ((packed[index] >> 6) << 4);
  return {static_cast<float>(scale), static_cast<float>(min)};
}

// Scale `index` (0..15) of Q3_K: low nibbles in bytes 0..7, two high bits in bytes 8..11.
int q3_scale(const uint8_t* packed, int index) {
  const int low = (packed[index % 8] >> (index / 8 * 4)) & 15;
  const int high = (packed[8 + index % 4] >> (index / 4 * 2)) & 3;
  return (low | (high << 4)) - 32;
}

}  // namespace

// 16 bytes of scale (low nibble) and minimum (high nibble), 64 bytes of 2-bit values, d, dmin.
// In each half of 128 weights, the pairs of bits 2s of 32 bytes are weights 32s to 32s + 31.
void q2_k(const uint8_t* block, float* out) {
  const uint8_t* values = block + 16;
  const float d = load_f16(block + 80);
  const float dmin = load_f16(block + 82);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8;
    const int shift = group % 8 / 2 * 2;
    const uint8_t* from = values + half * 32 + group % 2 * 16;
    const float scale = d * static_cast<float>(block[group] & 15);
    const float min = dmin * static_cast<float>(block[group] >> 4);
    for (int i = 0; i < 16; ++i) {
      *out++ = scale * static_cast<float>((from[i] >> shift) & 3) - min;
    }
  }
}

// 32 bytes of high bits (clear: minus 4), 64 bytes of 2-bit values as in Q2_K, 12 of scales, d.
void q3_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 108);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8;
    const int shift = group % 8 / 2 * 2;
    const uint8_t* low = block + 32 + half * 32 + group % 2 * 16;
    const uint8_t* high = block + group % 2 * 16;
    const float scale = d * static_cast<float>(q3_scale(block + 96, group));
    for (int i = 0; i < 16; ++i) {
      const int missing = (high[i] >> (group / 2)) & 1 ? 0 : 4;
      *out++ = scale * static_cast<float>(((low[i] >> shift) & 3) - missing);
    }
  }
}

// d, dmin, 12 bytes of scales and minima, 128 bytes of nibbles: low ones of 32 bytes, then high.
void q4_k(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const ScaleMin pair = packed_scale_min(block + 4, group);
    const uint8_t* from = block + 16 + group / 2 * 32;
    const float scale = d * pair.scale;
    const float min = dmin * pair.min;
    for (int i = 0; i < 32; ++i) {
      *out++ = scale * static_cast<float>((from[i] >> (group % 2 * 4)) & 15) - min;
    }
  }
}

// As Q4_K, with 32 bytes of fifth bits between: bit g of byte i belongs to weight i of group g.
void q5_k(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  const uint8_t* high = block + 16;
  for (int group = 0; group < 8; ++group) {
    const ScaleMin pair = packed_scale_min(block + 4, group);
    const uint8_t* from = block + 48 + group / 2 * 32;
    const float scale = d * pair.scale;
    const float min = dmin * pair.min;
    for (int i = 0; i < 32; ++i) {
      const int value = ((from[i] >> (group % 2 * 4)) & 15) | (((high[i] >> group) & 1) << 4);
      *out++ = scale * static_cast<float>(value) - min;
    }
  }
}

// 128 bytes of low nibbles, 64 of two high bits, 16 int8 scales, d.
void q6_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 208);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8;
    const int quarter = group % 8 / 2;
    const int at = group % 2 * 16;
    const uint8_t* low = block + half * 64 + quarter % 2 * 32 + at;
    const uint8_t* high = block + 128 + half * 32 + at;
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + group]));
    for (int i = 0; i < 16; ++i) {
      const int value =
          ((low[i] >> (quarter / 2 * 4)) & 15) | (((high[i] >> (quarter * 2)) & 3) << 4);
      *out++ = scale * static_cast<float>(value - 32);
    }
  }
}

void q8_k(const uint8_t* block, float* out) {
  const float d = std::bit_cast<float>(load_u32(block));
  for (int i = 0; i < 256; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(block[4 + i]));
}

// d, two high bits of each scale, their low nibbles, 128 bytes of nibbles as in IQ4_NL.
void iq4_xs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const int high = load_u16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const int low = (block[4 + group / 2] >> (group % 2 * 4)) & 15;
    const float scale = d * static_cast<float>((low | (((high >> (2 * group)) & 3) << 4)) - 32);
    const uint8_t* pairs = block + 8 + group * 16;
    for (int i = 0; i < 16; ++i) {
      out[group * 32 + i] = scale * static_cast<float>(kIq4Values[pairs[i] & 15]);
      out[group * 32 + i + 16] = scale * static_cast<float>(kIq4Values[pairs[i] >> 4]);
    }
  }
}

namespace {

// Digit `index` of the five ternary digits of a byte, which holds them as a fraction of 3^5
// scaled to 256: multiplying by 3^index brings it to the front.
int ternary_digit(uint8_t byte, int index) {
  constexpr uint8_t kPowers[5] = {1, 3, 9, 27, 81};
  const auto moved = static_cast<uint8_t>(byte * kPowers[index]);
  return (moved * 3) >> 8;
}

}  // namespace

// 48 bytes of five digits (32 bytes, then 16), 4 bytes of four digits, d.
void tq1_0(const uint8_t* block, float* out) {
  const float d = load_f16(block + 52);
  const auto spread = [&](int begin, int n_bytes, int n_digits) {
    for (int digit = 0; digit < n_digits; ++digit) {
      for (int i = begin; i < begin + n_bytes; ++i) {
        *out++ = static_cast<float>(ternary_digit(block[i], digit) - 1) * d;
      }
    }
  };
  spread(0, 32, 5);
  spread(32, 16, 5);
  spread(48, 4, 4);
}

void tq2_0(const uint8_t* block, float* out) {
  const float d = load_f16(block + 64);
  for (int half = 0; half < 2; ++half) {
    for (int shift = 0; shift < 8; shift += 2) {
      for (int i = 0; i < 32; ++i) {
        *out++ = static_cast<float>(((block[half * 32 + i] >> shift) & 3) - 1) * d;
      }
    }
  }
}

}  // namespace strata::tensor::blocks
