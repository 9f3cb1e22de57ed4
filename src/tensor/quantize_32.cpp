// Types with blocks of 32 where they are searched: eight blocks at a time.
#include <array>
#include <cmath>

#include "tensor/dequant_blocks.h"
#include "tensor/quantize_blocks.h"

namespace strata::tensor::blocks {
namespace {

constexpr int kBlock = 32;

// codes[level + 128] of the levels that a table has.
constexpr std::array<uint8_t, 256> codes_by_level(const int8_t (&table)[16]) {
  std::array<uint8_t, 256> codes{};
  for (uint8_t i = 16; i-- > 0;) codes[static_cast<size_t>(table[i] + 128)] = i;  // +0 before -0
  return codes;
}

void look_up(const std::array<uint8_t, 256>& table, const int8_t* levels, uint8_t* codes) {
  for (int i = 0; i < kSearched; ++i) codes[i] = table[static_cast<size_t>(levels[i] + 128)];
}

}  // namespace

void code_iq4(const int8_t* levels, uint8_t* codes) {
  static constexpr auto kCodes = codes_by_level(kIq4Values);
  look_up(kCodes, levels, codes);
}

void code_e2m1(const int8_t* levels, uint8_t* codes) {
  static constexpr auto kCodes = codes_by_level(kE2m1Doubled);
  look_up(kCodes, levels, codes);
}

void search_q4_0(const float* x, const float* w, uint8_t* blocks) {
  EightBlocks found;
  searches().q4_0(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, -8, codes);
  for (int i = 0; i < 8; ++i, blocks += 18) {
    store_f16(blocks, found.scales[i]);
    pack_nibbles(codes + i * kBlock, blocks + 2);
  }
}

void search_q5_0(const float* x, const float* w, uint8_t* blocks) {
  EightBlocks found;
  searches().q5_0(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, -16, codes);
  for (int i = 0; i < 8; ++i, blocks += 22) {
    store_f16(blocks, found.scales[i]);
    pack_fifth_bits(codes + i * kBlock, blocks + 2);
    pack_nibbles(codes + i * kBlock, blocks + 6);
  }
}

void search_q4_1(const float* x, const float* w, uint8_t* blocks) {
  EightBlocks found;
  searches().q4_1(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, 0, codes);
  for (int i = 0; i < 8; ++i, blocks += 20) {
    store_f16(blocks, found.scales[i]);
    store_f16(blocks + 2, found.mins[i]);
    pack_nibbles(codes + i * kBlock, blocks + 4);
  }
}

void search_q5_1(const float* x, const float* w, uint8_t* blocks) {
  EightBlocks found;
  searches().q5_1(x, w, found);
  uint8_t codes[kSearched];
  code_whole(found.levels, 0, codes);
  for (int i = 0; i < 8; ++i, blocks += 24) {
    store_f16(blocks, found.scales[i]);
    store_f16(blocks + 2, found.mins[i]);
    pack_fifth_bits(codes + i * kBlock, blocks + 4);
    pack_nibbles(codes + i * kBlock, blocks + 8);
  }
}

void search_iq4_nl(const float* x, const float* w, uint8_t* blocks) {
  EightBlocks found;
  searches().iq4_nl(x, w, found);
  uint8_t codes[kSearched];
  code_iq4(found.levels, codes);
  for (int i = 0; i < 8; ++i, blocks += 18) {
    store_f16(blocks, found.scales[i]);
    pack_nibbles(codes + i * kBlock, blocks + 2);
  }
}

void search_mxfp4(const float* x, const float* w, uint8_t* blocks) {
  constexpr int kBias = 128;  // of the exponent that scales the doubled values
  EightBlocks found;
  searches().mxfp4(x, w, found);
  uint8_t codes[kSearched];
  code_e2m1(found.levels, codes);
  for (int i = 0; i < 8; ++i, blocks += 17) {
    blocks[0] = static_cast<uint8_t>(std::ilogb(found.scales[i]) + kBias);
    pack_nibbles(codes + i * kBlock, blocks + 1);
  }
}

}  // namespace strata::tensor::blocks
