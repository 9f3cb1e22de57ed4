// One function a block type: floats to blocks. Internal to quantize*.cpp.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/half.h"
#include "tensor/searches.h"

namespace strata::tensor::blocks {

inline void store_u16(uint8_t* at, uint16_t value) {
  std::memcpy(at, &value, sizeof(value));
}
inline void store_u32(uint8_t* at, uint32_t value) {
  std::memcpy(at, &value, sizeof(value));
}
inline void store_f16(uint8_t* at, float value) {
  store_u16(at, f32_to_f16(value));
}

// Codes of the 256 levels of a search: how far each is above the lowest.
inline void code_whole(const int8_t* levels, int lowest, uint8_t* codes) {
  for (int i = 0; i < kSearched; ++i) codes[i] = static_cast<uint8_t>(levels[i] - lowest);
}

// Exactly as llama.cpp: one block of 32.
void to_q4_0(const float* x, uint8_t* block);
void to_q4_1(const float* x, uint8_t* block);
void to_q5_0(const float* x, uint8_t* block);
void to_q5_1(const float* x, uint8_t* block);
void to_q8_0(const float* x, uint8_t* block);

// Blocks of 32, their codes packed: nibbles in 16 bytes, the low ones the first half; of five bits
// the fifth ones in four bytes.
void pack_nibbles(const uint8_t* codes, uint8_t* out);
void pack_fifth_bits(const uint8_t* codes, uint8_t* out);

// The format's codes of the 256 levels, IQ4's or doubled E2M1 ones.
void code_iq4(const int8_t* levels, uint8_t* codes);
void code_e2m1(const int8_t* levels, uint8_t* codes);

// Searched: 256 weights, and how much each counts.
void search_q2_k(const float* x, const float* w, uint8_t* block);
void search_q3_k(const float* x, const float* w, uint8_t* block);
void search_q4_k(const float* x, const float* w, uint8_t* block);
void search_q5_k(const float* x, const float* w, uint8_t* block);
void search_q6_k(const float* x, const float* w, uint8_t* block);
void search_iq4_xs(const float* x, const float* w, uint8_t* block);
// The same for eight blocks of 32.
void search_q4_0(const float* x, const float* w, uint8_t* blocks);
void search_q4_1(const float* x, const float* w, uint8_t* blocks);
void search_q5_0(const float* x, const float* w, uint8_t* blocks);
void search_q5_1(const float* x, const float* w, uint8_t* blocks);
void search_iq4_nl(const float* x, const float* w, uint8_t* blocks);
void search_mxfp4(const float* x, const float* w, uint8_t* blocks);

}  // namespace strata::tensor::blocks
