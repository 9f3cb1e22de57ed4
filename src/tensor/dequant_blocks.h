// One function a block type: one block to floats. Internal to dequant*.cpp.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/half.h"

namespace strata::tensor::blocks {

// Little-endian loads from anywhere.
inline uint16_t load_u16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}
inline uint32_t load_u32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}
inline float load_f16(const uint8_t* at) {
  return f16_to_f32(load_u16(at));
}

// The 16 values of IQ4_NL and IQ4_XS.
constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
// Twice the 16 values of the E2M1 format (MXFP4, NVFP4).
constexpr int8_t kE2m1Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

void q4_0(const uint8_t* block, float* out);
void q4_1(const uint8_t* block, float* out);
void q5_0(const uint8_t* block, float* out);
void q5_1(const uint8_t* block, float* out);
void q8_0(const uint8_t* block, float* out);
void q8_1(const uint8_t* block, float* out);
void iq4_nl(const uint8_t* block, float* out);
void mxfp4(const uint8_t* block, float* out);
void nvfp4(const uint8_t* block, float* out);
void q1_0(const uint8_t* block, float* out);
void q2_0(const uint8_t* block, float* out);

void q2_k(const uint8_t* block, float* out);
void q3_k(const uint8_t* block, float* out);
void q4_k(const uint8_t* block, float* out);
void q5_k(const uint8_t* block, float* out);
void q6_k(const uint8_t* block, float* out);
void q8_k(const uint8_t* block, float* out);
void iq4_xs(const uint8_t* block, float* out);
void tq1_0(const uint8_t* block, float* out);
void tq2_0(const uint8_t* block, float* out);

void iq1_s(const uint8_t* block, float* out);
void iq1_m(const uint8_t* block, float* out);
void iq2_xxs(const uint8_t* block, float* out);
void iq2_xs(const uint8_t* block, float* out);
void iq2_s(const uint8_t* block, float* out);
void iq3_xxs(const uint8_t* block, float* out);
void iq3_s(const uint8_t* block, float* out);

// The scale of IQ1_M, which hides in the top nibbles of its sub-scales.
uint16_t iq1_m_scale_bits(const uint8_t* block);

}  // namespace strata::tensor::blocks
