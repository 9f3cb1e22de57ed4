// K-quants and IQ4_XS: what the searches find, bit by bit in its place (the layouts:
// dequant_k.cpp).
#include "tensor/quantize_blocks.h"

namespace strata::tensor::blocks {
namespace {

// Two low bits of the codes, four codes 32 apart in a byte.
void pack_two_bits(const uint8_t* codes, uint8_t* out) {
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 32; ++i) {
      const uint8_t* from = codes + half * 128 + i;
      out[half * 32 + i] = static_cast<uint8_t>((from[0] & 3) | (from[32] & 3) << 2 |
                                                (from[64] & 3) << 4 | (from[96] & 3) << 6);
    }
  }
}

// Four low bits of the codes, two codes 32 apart in a byte.
void pack_four_bits(const uint8_t* codes, uint8_t* out) {
  for (int pair = 0; pair < 4; ++pair) {
    for (int i = 0; i < 32; ++i) {
      const uint8_t* from = codes + pair * 64 + i;
      out[pair * 32 + i] = static_cast<uint8_t>((from[0] & 15) | (from[32] & 15) << 4);
    }
  }
}

// The eight pairs of 6-bit scales and minima of Q4_K and Q5_K in 12 bytes.
void pack_scales_and_mins(const LinedBlock& block, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const int scale = block.scales[i + 4];
    const int min = block.mins[i + 4];
    out[i] = static_cast<uint8_t>(block.scales[i] | (scale >> 4) << 6);
    out[i + 4] = static_cast<uint8_t>(block.mins[i] | (min >> 4) << 6);
    out[i + 8] = static_cast<uint8_t>((scale & 15) | (min & 15) << 4);
  }
}

// Bits of the codes from `shift` up, those of codes 32 apart in one byte.
void pack_high_bits(const uint8_t* codes, int shift, uint8_t* out) {
  std::memset(out, 0, 32);
  for (int i = 0; i < kSearched; ++i) {
    out[i % 32] |= static_cast<uint8_t>((codes[i] >> shift) << (i / 32));
  }
}

}  // namespace

void search_q2_k(const float* x, const float* w, uint8_t* block) {
  LinedBlock found;
  searches().q2_k(x, w, found);
  for (int i = 0; i < 16; ++i) {
    block[i] = static_cast<uint8_t>(found.scales[i] | found.mins[i] << 4);
  }
  uint8_t codes[kSearched];
  code_whole(found.levels, 0, codes);
  pack_two_bits(codes, block + 16);
  store_f16(block + 80, found.unit);
  store_f16(block + 82, found.min_unit);
}

void search_q3_k(const float* x, const float* w, uint8_t* block) {
  ScaledBlock found;
  searches().q3_k(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, -4, codes);
  pack_high_bits(codes, 2, block);
  pack_two_bits(codes, block + 32);
  std::memset(block + 96, 0, 12);
  for (int group = 0; group < 16; ++group) {
    const int scale = found.scales[group] + 32;
    block[96 + group % 8] |= static_cast<uint8_t>((scale & 15) << (group / 8 * 4));
    block[104 + group % 4] |= static_cast<uint8_t>((scale >> 4) << (group / 4 * 2));
  }
  store_f16(block + 108, found.unit);
}

void search_q4_k(const float* x, const float* w, uint8_t* block) {
  LinedBlock found;
  searches().q4_k(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, 0, codes);
  store_f16(block, found.unit);
  store_f16(block + 2, found.min_unit);
  pack_scales_and_mins(found, block + 4);
  pack_four_bits(codes, block + 16);
}

void search_q5_k(const float* x, const float* w, uint8_t* block) {
  LinedBlock found;
  searches().q5_k(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, 0, codes);
  store_f16(block, found.unit);
  store_f16(block + 2, found.min_unit);
  pack_scales_and_mins(found, block + 4);
  pack_high_bits(codes, 4, block + 16);
  pack_four_bits(codes, block + 48);
}

void search_q6_k(const float* x, const float* w, uint8_t* block) {
  ScaledBlock found;
  searches().q6_k(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, -32, codes);
  for (int half = 0; half < 2; ++half) {
    const uint8_t* from = codes + half * 128;
    for (int i = 0; i < 64; ++i) {
      block[half * 64 + i] = static_cast<uint8_t>((from[i] & 15) | (from[i + 64] & 15) << 4);
    }
    for (int i = 0; i < 32; ++i) {
      block[128 + half * 32 + i] = static_cast<uint8_t>(
          from[i] >> 4 | from[i + 32] >> 4 << 2 | from[i + 64] >> 4 << 4 | from[i + 96] >> 4 << 6);
    }
  }
  std::memcpy(block + 192, found.scales, 16);
  store_f16(block + 208, found.unit);
}

void search_iq4_xs(const float* x, const float* w, uint8_t* block) {
  ScaledBlock found;
  searches().iq4_xs(x, w, found);
  uint8_t codes[kSearched];
  code_iq4(found.levels, codes);
  store_f16(block, found.unit);
  unsigned high = 0;
  std::memset(block + 4, 0, 4);
  for (int group = 0; group < 8; ++group) {
    const auto scale = static_cast<unsigned>(found.scales[group] + 32);
    high |= (scale >> 4) << (2 * group);
    block[4 + group / 2] |= static_cast<uint8_t>((scale & 15) << (group % 2 * 4));
    pack_nibbles(codes + group * 32, block + 8 + group * 16);
  }
  store_u16(block + 2, static_cast<uint16_t>(high));
}

}  // namespace strata::tensor::blocks
