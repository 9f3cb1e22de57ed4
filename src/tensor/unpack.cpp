// Reads packed tiles back, element by element, from the words of tensor/layout.h alone.
#include <cstring>

#include "tensor/half.h"
#include "tensor/pack.h"

namespace strata::tensor::pack {
namespace {

uint16_t u16_at(const uint8_t* p, int i) {
  return static_cast<uint16_t>(p[2 * i] | p[2 * i + 1] << 8);
}
float f16_at(const uint8_t* p, int i) {
  return f16_to_f32(u16_at(p, i));
}

// The stored unsigned quant of row `row`, element k (0..31) of a group.
int quant_at(Layout layout, const uint8_t* quants, const uint8_t table[16], int row, int k) {
  const int j = k / 4;
  const int byte = 4 * row + k % 4;
  if (layout == Layout::w8s) return quants[64 * j + byte];
  const int nibble = (quants[64 * (j % 4) + byte] >> (j < 4 ? 0 : 4)) & 15;
  if (layout == Layout::w4t) return table[nibble];
  if (layout == Layout::w5h) return nibble << 1 | ((quants[256 + byte] >> j) & 1);
  if (info(layout).group_bytes == 320) return nibble | ((quants[256 + byte] >> j) & 1) << 4;
  if (layout == Layout::w6k) {
    return nibble | ((quants[256 + 64 * (j / 4) + byte] >> 2 * (j % 4)) & 3) << 4;
  }
  return nibble;
}

float weight_at(Layout layout, const uint8_t* tile, int g, int row, int k, int value) {
  switch (layout) {
    case Layout::w4k:
    case Layout::w5k: {
      const uint8_t* scales = tile + kKHeadScales + 32 * g;
      const float scale = f16_at(tile, row) * static_cast<float>(scales[row]);
      const float min = f16_at(tile + 32, row) * static_cast<float>(scales[16 + row]);
      return scale * static_cast<float>(value) - min;
    }
    case Layout::w6k: {
      const uint8_t* scales = tile + kKHeadScales + 32 * g;
      const auto scale = static_cast<int8_t>(scales[16 * (k / 16) + row]);
      return f16_at(tile, row) * static_cast<float>(scale) * static_cast<float>(value);
    }
    case Layout::w4m:
    case Layout::w5m:
      return f16_at(tile + 32 * g, row) * static_cast<float>(value) +
             f16_at(tile + 64 + 32 * g, row);
    default:
      return f16_at(tile + 32 * g, row) * static_cast<float>(value);
  }
}

}  // namespace

void unpack_planes_row(const uint8_t* upper, const uint8_t* lower, int row, int64_t cols,
                       float* out) {
  const LayoutInfo& l = info(Layout::w5h);
  for (int64_t i = 0; i < cols; ++i) {
    const int64_t group = i / kGroup;
    const auto k = static_cast<int>(i % kGroup);
    const uint8_t* tile = upper + kPlanesHead + group / l.tile_groups * tile_bytes(Layout::w5h);
    const auto g = static_cast<int>(group % l.tile_groups);
    const uint8_t* nibbles = tile + l.head_bytes + int64_t{g} * l.group_bytes;
    const int high = quant_at(Layout::w4s, nibbles, nullptr, row, k);
    const int low = quant_at(Layout::w4s, lower + group * kLowerBytes, nullptr, row, k);
    out[i] = weight_at(Layout::w8s, tile, g, row, k, 16 * high + low - 128);
  }
}

void unpack_row(Layout layout, const uint8_t* block, const uint8_t table[16], int row, int64_t cols,
                float* out) {
  const LayoutInfo& l = info(layout);
  for (int64_t i = 0; i < cols; ++i) {
    const int64_t group = i / kGroup;
    const auto k = static_cast<int>(i % kGroup);
    const uint8_t* tile = block + group / l.tile_groups * tile_bytes(layout);
    const auto g = static_cast<int>(group % l.tile_groups);
    const uint8_t* quants = tile + l.head_bytes + int64_t{g} * l.group_bytes;
    if (layout == Layout::wf32) {
      std::memcpy(&out[i], quants + 64 * k + 4 * row, sizeof(float));
      continue;
    }
    if (layout == Layout::wbf) {
      out[i] = bf16_to_f32(u16_at(quants + 64 * (k / 2) + 4 * row, k % 2));
      continue;
    }
    const int offset = l.offset_log2 < 0 ? 0 : 1 << l.offset_log2;
    const int value = quant_at(layout, quants, table, row, k) - offset;
    out[i] = weight_at(layout, tile, g, row, k, value);
  }
}

}  // namespace strata::tensor::pack
