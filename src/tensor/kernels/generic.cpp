// The reference kernels: plain C++, the meaning of the table in tensor/kernels.h. Every other set
// is tested against these.
#include "tensor/kernels/attention.h"
#include "tensor/kernels/sequence_attention.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {
namespace {

float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000U) << 16;
  const uint32_t exponent = (h >> 10) & 31U;
  const uint32_t mantissa = h & 1023U;
  if (exponent == 31) return bits_to_float(sign | 0x7f800000U | mantissa << 13);
  if (exponent != 0) return bits_to_float(sign | (exponent + 112U) << 23 | mantissa << 13);
  const float tiny = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -tiny : tiny;
}

float half_at(const uint8_t* p, int i) {
  return half_to_float(static_cast<uint16_t>(p[2 * i] | p[2 * i + 1] << 8));
}

// One group of a tile: the unsigned quants of 16 rows and what they are multiplied with.
struct Group {
  uint8_t quant[16][kGroup];
  float scale[16];
  float min[16];
  int32_t sub_scale[2][16];  // w6k: of the first and last 16 k
};

int quant_at(Layout layout, const uint8_t* quants, int row, int k, const uint8_t* table) {
  const int j = k / 4;
  const int byte = 4 * row + k % 4;
  if (layout == Layout::w8s) return quants[64 * j + byte];
  const int stored = quants[64 * (j % 4) + byte];
  const int nibble = j < 4 ? stored & 15 : stored >> 4;
  switch (layout) {
    case Layout::w4t:
      return table[nibble];
    case Layout::w5s:
    case Layout::w5m:
    case Layout::w5k:
      return nibble | ((quants[256 + byte] >> j) & 1) << 4;
    case Layout::w5h:
      return nibble << 1 | ((quants[256 + byte] >> j) & 1);
    case Layout::w6k:
      return nibble | ((quants[256 + 64 * (j / 4) + byte] >> 2 * (j % 4)) & 3) << 4;
    default:
      return nibble;
  }
}

bool has_min(Layout layout) {
  return layout == Layout::w4m || layout == Layout::w5m || layout == Layout::w4k ||
         layout == Layout::w5k;
}

void scales_of(Layout layout, const uint8_t* tile, int g, Group& group) {
  for (int r = 0; r < 16; ++r) {
    if (layout == Layout::w4k || layout == Layout::w5k) {
      const uint8_t* scales = tile + kKHeadScales + 32 * g;
      group.scale[r] = half_at(tile, r) * static_cast<float>(scales[r]);
      group.min[r] = -(half_at(tile + 32, r) * static_cast<float>(scales[16 + r]));
    } else if (layout == Layout::w6k) {
      const auto* scales = reinterpret_cast<const int8_t*>(tile + kKHeadScales + 32 * g);
      group.scale[r] = half_at(tile, r);
      group.sub_scale[0][r] = scales[r];
      group.sub_scale[1][r] = scales[16 + r];
    } else {
      group.scale[r] = half_at(tile + 32 * g, r);
      group.min[r] = has_min(layout) ? half_at(tile + 64 + 32 * g, r) : 0.0f;
    }
  }
}

int32_t dot16(const uint8_t* u, const int8_t* q, int offset) {
  int32_t sum = 0;
  for (int k = 0; k < 16; ++k) sum += (u[k] - offset) * q[k];
  return sum;
}

template <Layout kLayout>
void block_times_columns(const MatmulArgs& args, int32_t block, float* acc) {
  const uint8_t* tile =
      args.tiles + block * args.block_bytes + (kLayout == Layout::w8p ? kPlanesHead : 0);
  const uint8_t* lower = args.lower + block * args.lower_bytes;
  constexpr const LayoutInfo& layout = kLayoutInfo[static_cast<int>(kLayout)];
  const int offset = layout.offset_log2 < 0 ? 0 : 1 << layout.offset_log2;
  Group group;
  for (int32_t g = 0; g < args.n_groups; ++g) {
    const int in_tile = g % layout.tile_groups;
    if (g != 0 && in_tile == 0) tile += tile_bytes(kLayout);
    const uint8_t* quants = tile + layout.head_bytes + in_tile * layout.group_bytes;
    scales_of(kLayout, tile, in_tile, group);
    for (int r = 0; r < 16; ++r) {
      for (int k = 0; k < kGroup; ++k) {
        int quant = quant_at(kLayout, quants, r, k, args.table);
        if (kLayout == Layout::w8p) {  // its upper nibble
          quant = 16 * quant + quant_at(Layout::w4s, lower + g * kLowerBytes, r, k, nullptr);
        }
        group.quant[r][k] = static_cast<uint8_t>(quant);
      }
    }
    for (int32_t c = 0; c < args.n_cols; ++c) {
      const int8_t* q = args.q + c * args.q_stride + kGroup * g;
      const GroupMeta& meta = args.meta[c * args.meta_stride + g];
      for (int r = 0; r < 16; ++r) {
        const int32_t low = dot16(group.quant[r], q, offset);
        const int32_t high = dot16(group.quant[r] + 16, q + 16, offset);
        const int32_t dot = kLayout == Layout::w6k
                                ? low * group.sub_scale[0][r] + high * group.sub_scale[1][r]
                                : low + high;
        float& sum = acc[c * 16 + r];
        sum = __builtin_fmaf(static_cast<float>(dot), group.scale[r] * meta.scale, sum);
        if (has_min(kLayout)) sum = __builtin_fmaf(group.min[r], meta.scaled_sum, sum);
      }
    }
  }
}

template <>
void block_times_columns<Layout::wbf>(const MatmulArgs& args, int32_t block, float* acc) {
  const auto* w = reinterpret_cast<const uint16_t*>(args.tiles + block * args.block_bytes);
  for (int32_t c = 0; c < args.n_cols; ++c) {
    F sum = load(acc + 16 * c);
    const uint16_t* x = args.bf + c * args.bf_stride;
    for (int32_t k = 0; k < args.n_groups * kGroup; k += 2) sum = dot_bf16(sum, w + 16 * k, x + k);
    store(acc + 16 * c, sum);
  }
}

template <>
void block_times_columns<Layout::wf32>(const MatmulArgs& args, int32_t block, float* acc) {
  const auto* w = reinterpret_cast<const float*>(args.tiles + block * args.block_bytes);
  for (int32_t c = 0; c < args.n_cols; ++c) {
    const float* x = args.floats + c * args.float_stride;
    for (int32_t k = 0; k < args.n_groups * kGroup; ++k) {
      for (int r = 0; r < 16; ++r) {
        acc[16 * c + r] = __builtin_fmaf(w[16 * k + r], x[k], acc[16 * c + r]);
      }
    }
  }
}

constexpr int kColumnsAtOnce = 64;

template <Layout kLayout>
void matmul_columns(const MatmulArgs& args) {
  float acc[2][kColumnsAtOnce * 16];
  const int step = args.gated ? 2 : 1;
  for (int32_t b = 0; b < args.n_blocks; b += step) {
    for (int i = 0; i < step; ++i) {
      for (float& x : acc[i]) x = 0.0f;
      block_times_columns<kLayout>(args, b + i, acc[i]);
    }
    const int rows = b + step == args.n_blocks ? args.last_rows : kRowBlock;
    for (int32_t c = 0; c < args.n_cols; ++c) {
      float* out = args.out + c * args.out_stride + (b / step) * kRowBlock;
      const F first = load(acc[0] + 16 * c);
      const F result =
          args.gated ? mul(activation(args.activation, first), load(acc[1] + 16 * c)) : first;
      store_part(out, result, rows);
    }
  }
}

template <Layout kLayout>
void matmul(const MatmulArgs& args) {
  for (int32_t c = 0; c < args.n_cols; c += kColumnsAtOnce) {
    MatmulArgs part = args;
    part.n_cols = args.n_cols - c < kColumnsAtOnce ? args.n_cols - c : kColumnsAtOnce;
    part.q += c * args.q_stride;
    part.meta += c * args.meta_stride;
    part.bf += c * args.bf_stride;
    part.floats += c * args.float_stride;
    part.out += c * args.out_stride;
    matmul_columns<kLayout>(part);
  }
}

// The word of tensor/kernels.h, row by row.
void screen(const ScreenArgs& args) {
  constexpr LayoutInfo layout = kLayoutInfo[static_cast<int>(Layout::w5h)];
  for (int32_t b = 0; b < args.n_blocks; ++b) {
    const uint8_t* block = args.upper + b * args.block_bytes;
    for (int32_t c = 0; c < args.n_cols; ++c) {
      float near[16];
      float far[16];
      for (int r = 0; r < 16; ++r) {
        near[r] = 8.0f * args.dots[c * args.dots_stride + b * kRowBlock + r];
        far[r] = kScreenUnderflow;
      }
      for (int32_t g = 0; g < args.n_groups; ++g) {
        const uint8_t* scales = block + kPlanesHead +
                                g / layout.tile_groups * tile_bytes(Layout::w5h) +
                                32 * (g % layout.tile_groups);
        const ScreenGroup& group = args.groups[c * args.group_stride + g];
        for (int r = 0; r < 16; ++r) {
          const float scale = half_at(scales, r);
          near[r] += scale * group.centre;
          far[r] += (scale < 0 ? -scale : scale) * group.reach;
        }
      }
      float norms[16];
      for (int r = 0; r < 16; ++r) {
        norms[r] = half_at(block, r) > kLeastNorm ? half_at(block, r) : kLeastNorm;
      }
      float likely = near[0];
      float bound = near[0] + far[0] * norms[0] * args.margin;
      for (int r = 1; r < 16; ++r) {
        const float most = near[r] + far[r] * norms[r] * args.margin;
        if (near[r] > likely) likely = near[r];
        if (most > bound) bound = most;
      }
      args.likely[c * args.block_stride + b] = likely;
      args.bound[c * args.block_stride + b] = bound;
    }
  }
}

template <int... kLayout>
struct Table {
  static void fill(KernelSet& set) {
    ((set.stream[kLayout] = set.gemm[kLayout] = matmul<static_cast<Layout>(kLayout)>), ...);
  }
};

KernelSet make() {
  KernelSet set{};
  set.name = "generic";
  for (int& columns : set.stream_columns) columns = 1 << 30;
  Table<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>::fill(set);
  set.attention = attention;
  set.sequence_attention = sequence_attention;
  set.screen = screen;
  set.screen_columns = 4;
  add_row_operations(set);
  return set;
}

}  // namespace

const KernelSet& generic_kernels() {
  static const KernelSet set = make();
  return set;
}

}  // namespace strata::tensor
