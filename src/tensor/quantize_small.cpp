// The types whose blocks are one formula: the same float32 operations in the same order as
// llama.cpp's reference, so that the bytes are equal.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "tensor/quantize_blocks.h"

namespace strata::tensor::blocks {
namespace {

constexpr int kBlock = 32;

// The weight of the greatest magnitude, the first of equals, with its sign.
float extreme(const float* x) {
  float magnitude = 0.0f;
  float value = 0.0f;
  for (int i = 0; i < kBlock; ++i) {
    if (magnitude < std::fabs(x[i])) {
      magnitude = std::fabs(x[i]);
      value = x[i];
    }
  }
  return value;
}

// 1 / d; 0 where that is no number to multiply with: the codes are then those of zero.
float inverse(float d) {
  const float result = d != 0.0f ? 1.0f / d : 0.0f;
  return std::isfinite(result) ? result : 0.0f;
}

// Codes 0 to top around a middle one; d is such that the extreme weight has code 0.
float signed_codes(const float* x, int middle, uint8_t* codes) {
  const float d = extreme(x) / static_cast<float>(-middle);
  const float id = inverse(d);
  const float shift = static_cast<float>(middle) + 0.5f;
  for (int i = 0; i < kBlock; ++i) {
    const int code = static_cast<int>(std::clamp(x[i] * id + shift, 0.0f, 64.0f));
    codes[i] = static_cast<uint8_t>(std::min(code, 2 * middle - 1));
  }
  return d;
}

struct ScaleAndMin {
  float scale, min;
};

ScaleAndMin codes_above_min(const float* x, int top, uint8_t* codes) {
  float min = FLT_MAX;
  float max = -FLT_MAX;
  for (int i = 0; i < kBlock; ++i) {
    min = x[i] < min ? x[i] : min;
    max = x[i] > max ? x[i] : max;
  }
  const float d = (max - min) / static_cast<float>(top);
  const float id = inverse(d);
  for (int i = 0; i < kBlock; ++i) {
    const int code = static_cast<int>(std::clamp((x[i] - min) * id + 0.5f, 0.0f, 64.0f));
    codes[i] = static_cast<uint8_t>(std::min(code, top));
  }
  return {d, min};
}

}  // namespace

void pack_nibbles(const uint8_t* codes, uint8_t* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
}

void pack_fifth_bits(const uint8_t* codes, uint8_t* out) {
  uint32_t bits = 0;
  for (int i = 0; i < kBlock; ++i) bits |= ((codes[i] >> 4) & 1u) << i;
  store_u32(out, bits);
}

void to_q4_0(const float* x, uint8_t* block) {
  uint8_t codes[kBlock];
  store_u16(block, f32_to_f16(signed_codes(x, 8, codes)));
  pack_nibbles(codes, block + 2);
}

void to_q5_0(const float* x, uint8_t* block) {
  uint8_t codes[kBlock];
  store_u16(block, f32_to_f16(signed_codes(x, 16, codes)));
  pack_fifth_bits(codes, block + 2);
  pack_nibbles(codes, block + 6);
}

void to_q4_1(const float* x, uint8_t* block) {
  uint8_t codes[kBlock];
  const ScaleAndMin found = codes_above_min(x, 15, codes);
  store_u16(block, f32_to_f16(found.scale));
  store_u16(block + 2, f32_to_f16(found.min));
  pack_nibbles(codes, block + 4);
}

void to_q5_1(const float* x, uint8_t* block) {
  uint8_t codes[kBlock];
  const ScaleAndMin found = codes_above_min(x, 31, codes);
  store_u16(block, f32_to_f16(found.scale));
  store_u16(block + 2, f32_to_f16(found.min));
  pack_fifth_bits(codes, block + 4);
  pack_nibbles(codes, block + 8);
}

// Halves are rounded away from zero.
void to_q8_0(const float* x, uint8_t* block) {
  const float d = std::fabs(extreme(x)) / 127.0f;
  const float id = inverse(d);
  store_u16(block, f32_to_f16(d));
  for (int i = 0; i < kBlock; ++i) {
    const float scaled = std::clamp(x[i] * id, -127.0f, 127.0f);
    const int whole = static_cast<int>(scaled);
    const float rest = scaled - static_cast<float>(whole);
    const int code = whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
    block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(code));
  }
}

}  // namespace strata::tensor::blocks
