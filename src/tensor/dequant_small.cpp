// Types with blocks of 16 to 128 weights. Nibbles: the low ones are the first half of the block.
#include <cmath>

#include "tensor/dequant_blocks.h"

namespace strata::tensor::blocks {

void q4_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[2 + i];
    out[i] = static_cast<float>((pair & 15) - 8) * d;
    out[i + 16] = static_cast<float>((pair >> 4) - 8) * d;
  }
}

void q4_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[4 + i];
    out[i] = static_cast<float>(pair & 15) * d + m;
    out[i + 16] = static_cast<float>(pair >> 4) * d + m;
  }
}

void q5_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint32_t high = load_u32(block + 2);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[6 + i];
    const int low_high = static_cast<int>((high >> i) & 1u) << 4;
    const int up_high = static_cast<int>((high >> (i + 16)) & 1u) << 4;
    out[i] = static_cast<float>(((pair & 15) | low_high) - 16) * d;
    out[i + 16] = static_cast<float>(((pair >> 4) | up_high) - 16) * d;
  }
}

void q5_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  const uint32_t high = load_u32(block + 4);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[8 + i];
    const int low_high = static_cast<int>((high >> i) & 1u) << 4;
    const int up_high = static_cast<int>((high >> (i + 16)) & 1u) << 4;
    out[i] = static_cast<float>((pair & 15) | low_high) * d + m;
    out[i + 16] = static_cast<float>((pair >> 4) | up_high) * d + m;
  }
}

void q8_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

void q8_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[4 + i])) * d;
}

void iq4_nl(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[2 + i];
    out[i] = d * static_cast<float>(kIq4Values[pair & 15]);
    out[i + 16] = d * static_cast<float>(kIq4Values[pair >> 4]);
  }
}

namespace {

// 2^(exponent - 128): half of the E8M0 scale, since the values are doubled. No pattern is NaN
// here; the format's 255 gives 2^127, as in the reference.
float half_e8m0(uint8_t exponent) {
  return std::ldexp(1.0f, static_cast<int>(exponent) - 128);
}

// Half of the unsigned E4M3 value, since the values are doubled; the NaN pattern 0x7F counts as 0,
// as in the reference; the sign bit is ignored.
float half_e4m3(uint8_t bits) {
  if (bits == 0 || bits == 0x7F) return 0.0f;
  const int exponent = (bits >> 3) & 15;
  const int fraction = bits & 7;
  if (exponent == 0) return std::ldexp(static_cast<float>(fraction), -10);
  return std::ldexp(static_cast<float>(8 + fraction), exponent - 11);
}

}  // namespace

void mxfp4(const uint8_t* block, float* out) {
  const float d = half_e8m0(block[0]);
  for (int i = 0; i < 16; ++i) {
    const uint8_t pair = block[1 + i];
    out[i] = static_cast<float>(kE2m1Doubled[pair & 15]) * d;
    out[i + 16] = static_cast<float>(kE2m1Doubled[pair >> 4]) * d;
  }
}

void nvfp4(const uint8_t* block, float* out) {
  for (int part = 0; part < 4; ++part) {
    const float d = half_e4m3(block[part]);
    const uint8_t* pairs = block + 4 + part * 8;
    for (int i = 0; i < 8; ++i) {
      out[part * 16 + i] = static_cast<float>(kE2m1Doubled[pairs[i] & 15]) * d;
      out[part * 16 + i + 8] = static_cast<float>(kE2m1Doubled[pairs[i] >> 4]) * d;
    }
  }
}

void q1_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 128; ++i) out[i] = (block[2 + i / 8] >> (i % 8)) & 1 ? d : -d;
}

void q2_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 64; ++i) {
    const int q = (block[2 + i / 4] >> (i % 4 * 2)) & 3;
    out[i] = static_cast<float>(q - 1) * d;
  }
}

}  // namespace strata::tensor::blocks
