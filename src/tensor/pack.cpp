#include "tensor/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "tensor/dequant.h"
#include "tensor/half.h"
#include "tensor/pack_group.h"

namespace strata::tensor::pack {
namespace {

// Signed values of the 4-bit codes (docs/formats.md).
constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
// Twice the E2M1 values 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Exponents e for which 2^(e - 128), the scale of the doubled values, is an fp16.
constexpr uint8_t kMxfp4MinExponent = 128 - 24;
constexpr uint8_t kMxfp4MaxExponent = 128 + 15;

void put_word(uint8_t* p, uint32_t w) {
  std::memcpy(p, &w, 4);
}

void put_nibbles(uint8_t* quants, int row, const Quants& q) {
  for (int j = 0; j < 4; ++j) {
    put_word(quants + 64 * j + 4 * row, (q.word[j] & 0x0f0f0f0fU) | (q.word[j + 4] & 0x0f0f0f0fU)
                                                                        << 4);
  }
}

void put_fifth_bits(uint8_t* quants, int row, const Quants& q) {
  uint32_t plane = 0;
  for (int j = 0; j < 8; ++j) plane |= ((q.word[j] >> 4) & 0x01010101U) << j;
  put_word(quants + 256 + 4 * row, plane);
}

void put_upper_bits(uint8_t* quants, int row, const Quants& q) {
  for (int p = 0; p < 2; ++p) {
    uint32_t plane = 0;
    for (int j = 0; j < 4; ++j) plane |= ((q.word[4 * p + j] >> 4) & 0x03030303U) << 2 * j;
    put_word(quants + 256 + 64 * p + 4 * row, plane);
  }
}

void put_group(Layout layout, uint8_t* quants, int row, const Quants& q) {
  if (layout == Layout::w8s) {
    for (int j = 0; j < 8; ++j) put_word(quants + 64 * j + 4 * row, q.word[j]);
    return;
  }
  put_nibbles(quants, row, q);
  if (layout == Layout::w5s || layout == Layout::w5m || layout == Layout::w5k) {
    put_fifth_bits(quants, row, q);
  }
  if (layout == Layout::w6k) put_upper_bits(quants, row, q);
}

void put_half(uint8_t* p, int row, uint16_t h) {
  std::memcpy(p + 2 * row, &h, 2);
}

// Where group g of a row block's tiles begins.
struct Place {
  uint8_t* tile;
  uint8_t* quants;
  int in_tile;
};
Place place(Layout layout, uint8_t* block, int64_t g) {
  const LayoutInfo& l = info(layout);
  uint8_t* tile = block + g / l.tile_groups * tile_bytes(layout);
  const int in_tile = static_cast<int>(g % l.tile_groups);
  return {tile, tile + l.head_bytes + int64_t{in_tile} * l.group_bytes, in_tile};
}

// The types of 32 weights a block: fp16 scale first, then what `Read` finds.
template <class Read>
void pack_blocks(Layout layout, const uint8_t* src, int64_t cols, int row, uint8_t* block,
                 int64_t block_bytes, bool min, Read read) {
  for (int64_t g = 0; g < cols / kGroup; ++g, src += block_bytes) {
    const Place at = place(layout, block, g);
    put_half(at.tile + 32 * at.in_tile, row, half_at(src));
    if (min) put_half(at.tile + 64 + 32 * at.in_tile, row, half_at(src + 2));
    put_group(layout, at.quants, row, read(src));
  }
}

uint16_t mxfp4_scale(uint8_t e) {  // 2^(e - 128) as fp16
  const int exponent = int{e} - 128;
  return static_cast<uint16_t>(exponent >= -14 ? (exponent + 15) << 10 : 1 << (exponent + 24));
}

void pack_mxfp4(const uint8_t* src, int64_t cols, int row, uint8_t* block) {
  for (int64_t g = 0; g < cols / kGroup; ++g, src += 17) {
    const Place at = place(Layout::w4t, block, g);
    put_half(at.tile + 32 * at.in_tile, row, mxfp4_scale(src[0]));
    put_group(Layout::w4t, at.quants, row, nibbles(src + 1));
  }
}

// Q4_K (fifth bits absent) and Q5_K.
void pack_k45(Layout layout, const uint8_t* src, int64_t cols, int row, uint8_t* block) {
  const bool five = layout == Layout::w5k;
  for (int64_t b = 0; b < cols / 256; ++b, src += five ? 176 : 144) {
    uint8_t* tile = block + b * tile_bytes(layout);
    put_half(tile, row, half_at(src));
    put_half(tile + 32, row, half_at(src + 2));
    for (int s = 0; s < 8; ++s) {
      const ScaleMin sm = k_scale_min(src + 4, s);
      tile[kKHeadScales + 32 * s + row] = sm.scale;
      tile[kKHeadScales + 32 * s + 16 + row] = sm.min;
      const Quants q = k_nibbles(src + (five ? 48 : 16), five ? src + 16 : nullptr, s);
      put_group(layout, place(layout, tile, s).quants, row, q);
    }
  }
}

// Q6_K and Q3_K.
void pack_k6(DType type, const uint8_t* src, int64_t cols, int row, uint8_t* block) {
  const bool three = type == DType::q3_k;
  for (int64_t b = 0; b < cols / 256; ++b, src += three ? 110 : 210) {
    uint8_t* tile = block + b * tile_bytes(Layout::w6k);
    put_half(tile, row, half_at(src + (three ? 108 : 208)));
    for (int g = 0; g < 8; ++g) {
      for (int half = 0; half < 2; ++half) {
        const int i = 2 * g + half;
        tile[kKHeadScales + 32 * g + 16 * half + row] =
            three ? static_cast<uint8_t>(q3k_scale(src + 96, i)) : src[192 + i];
      }
      put_group(Layout::w6k, place(Layout::w6k, tile, g).quants, row,
                three ? q3k_group(src, g) : q6k_group(src, g));
    }
  }
}

void pack_bf16(const float* x, int64_t cols, int row, uint8_t* block) {
  for (int64_t k = 0; k < cols; ++k) {
    const uint16_t h = f32_to_bf16(x[k]);
    std::memcpy(block + 64 * (k / 2) + 4 * row + 2 * (k % 2), &h, 2);
  }
}

void pack_floats(const uint8_t* src, int64_t cols, int row, uint8_t* block) {
  for (int64_t k = 0; k < cols; ++k) std::memcpy(block + 64 * k + 4 * row, src + 4 * k, 4);
}

// The least fp16 that is not below x >= 0.
uint16_t half_not_below(float x) {
  uint16_t h = f32_to_f16(x);
  if (f16_to_f32(h) < x) ++h;
  return h;
}

// int8 with an fp16 scale per 32, by the largest magnitude.
void pack_requantised(const float* x, int64_t cols, int row, uint8_t* block) {
  for (int64_t g = 0; g * kGroup < cols; ++g) {
    const auto n = static_cast<int>(std::min<int64_t>(kGroup, cols - g * kGroup));
    float largest = 0;
    for (int i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[g * kGroup + i]));
    const uint16_t scale = f32_to_f16(std::min(largest / 127.0f, 65504.0f));
    const float step = f16_to_f32(scale);
    uint8_t u[kGroup];
    for (int i = 0; i < kGroup; ++i) {
      const float v = i < n && step > 0 ? std::nearbyint(x[g * kGroup + i] / step) : 0.0f;
      u[i] = static_cast<uint8_t>(static_cast<int>(std::clamp(v, -127.0f, 127.0f)) + 128);
    }
    Quants q;
    std::memcpy(q.word, u, sizeof u);
    const Place at = place(Layout::w8s, block, g);
    put_half(at.tile + 32 * at.in_tile, row, scale);
    put_group(Layout::w8s, at.quants, row, q);
  }
}

}  // namespace

Layout layout_of(DType type, const std::byte* data, int64_t n_weights) {
  switch (type) {
    case DType::q4_0:
      return Layout::w4s;
    case DType::iq4_nl:
      return Layout::w4t;
    case DType::q4_1:
      return Layout::w4m;
    case DType::q5_0:
      return Layout::w5s;
    case DType::q5_1:
      return Layout::w5m;
    case DType::q8_0:
      return Layout::w8s;
    case DType::q4_k:
      return Layout::w4k;
    case DType::q5_k:
      return Layout::w5k;
    case DType::q3_k:
    case DType::q6_k:
      return Layout::w6k;
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::f64:
      return Layout::wbf;
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64:
    case DType::q8_1:
    case DType::q8_k:
      throw Error(Code::unimplemented, fmt::format("a weight matrix of type {} cannot be computed",
                                                   dtype_info(type).name));
    case DType::mxfp4: {
      for (int64_t b = 0; b < n_weights / 32; ++b) {
        const auto e = static_cast<uint8_t>(data[17 * b]);
        if (e < kMxfp4MinExponent || e > kMxfp4MaxExponent) return Layout::wbf;
      }
      return Layout::w4t;
    }
    default:
      return Layout::w8s;
  }
}

void fill_table(DType type, uint8_t table[16]) {
  const int8_t* values = type == DType::mxfp4 ? kMxfp4Values : kIq4Values;
  for (int i = 0; i < 16; ++i) table[i] = static_cast<uint8_t>(values[i] + 128);
}

void split_planes(const uint8_t* block, int64_t n_groups, uint8_t* upper, uint8_t* lower) {
  float largest[kRowBlock] = {};  // squared norm of a group's centred lower bits
  uint8_t* tiles = upper + kPlanesHead;
  for (int64_t g = 0; g < n_groups; ++g) {
    const Place to = place(Layout::w5h, tiles, g);
    const int64_t tile = g / info(Layout::w8s).tile_groups * tile_bytes(Layout::w8s);
    const uint8_t* scales = block + tile + 32 * to.in_tile;
    const uint8_t* quants = block + tile + info(Layout::w8s).head_bytes + 512 * to.in_tile;
    std::memcpy(to.tile + 32 * to.in_tile, scales, 32);
    for (int row = 0; row < kRowBlock; ++row) {
      Quants low, high, bit3;
      float squares = 0.0f;
      for (int j = 0; j < 8; ++j) {
        const uint32_t word = word_at(quants + 64 * j + 4 * row);
        low.word[j] = word;
        high.word[j] = word >> 4;
        bit3.word[j] = word << 1;
        for (int i = 0; i < 4; ++i) {
          const float centred = static_cast<float>((word >> 8 * i) & 7U) - 3.5f;
          squares += centred * centred;
        }
      }
      put_nibbles(to.quants, row, high);
      put_fifth_bits(to.quants, row, bit3);
      put_nibbles(lower + g * kLowerBytes, row, low);
      // What has no scale adds nothing: the columns behind the last, rows that are zero.
      if (half_at(scales + 2 * row) != 0) largest[row] = std::max(largest[row], squares);
    }
  }
  for (int row = 0; row < kRowBlock; ++row) {
    put_half(upper, row, half_not_below(std::sqrt(largest[row])));
  }
}

void pack_row(DType type, Layout layout, const std::byte* data, int64_t cols, int row,
              uint8_t* block, float* scratch) {
  const auto* src = reinterpret_cast<const uint8_t*>(data);
  switch (layout) {
    case Layout::w4s:
      return pack_blocks(layout, src, cols, row, block, 18, false,
                         [](const uint8_t* p) { return nibbles(p + 2); });
    case Layout::w4t:
      if (type == DType::mxfp4) return pack_mxfp4(src, cols, row, block);
      return pack_blocks(layout, src, cols, row, block, 18, false,
                         [](const uint8_t* p) { return nibbles(p + 2); });
    case Layout::w4m:
      return pack_blocks(layout, src, cols, row, block, 20, true,
                         [](const uint8_t* p) { return nibbles(p + 4); });
    case Layout::w5s:
      return pack_blocks(layout, src, cols, row, block, 22, false,
                         [](const uint8_t* p) { return nibbles_and_fifth(p + 6, word_at(p + 2)); });
    case Layout::w5m:
      return pack_blocks(layout, src, cols, row, block, 24, true,
                         [](const uint8_t* p) { return nibbles_and_fifth(p + 8, word_at(p + 4)); });
    case Layout::w4k:
    case Layout::w5k:
      return pack_k45(layout, src, cols, row, block);
    case Layout::w6k:
      return pack_k6(type, src, cols, row, block);
    case Layout::w8s:
      if (type == DType::q8_0) {
        return pack_blocks(layout, src, cols, row, block, 34, false,
                           [](const uint8_t* p) { return signed_bytes(p + 2); });
      }
      dequantize_row(type, data, scratch, cols);
      return pack_requantised(scratch, cols, row, block);
    case Layout::wbf:
      dequantize_row(type, data, scratch, cols);
      return pack_bf16(scratch, cols, row, block);
    case Layout::wf32:
      return pack_floats(src, cols, row, block);
    case Layout::w8p:  // by way of w8s and split_planes
    case Layout::w5h:
      break;
  }
}

}  // namespace strata::tensor::pack
