// The packed weight layouts: what lies where inside a tile. The same bytes serve every instruction
// set; kernels and packer share only this file, which therefore has no includes but fixed-width
// integers.
//
// A matrix is cut into row blocks of 16 output rows; a row block into tiles along k, one after the
// other; row blocks follow each other. A tile is 16 rows x 64 k (K-quants: x 256 k), all parts
// 64-byte aligned or paired to 64 bytes:
//   scales   per group of 32 k: 16 x fp16, row order
//   mins     the same shape, layouts with a min only
//   quants   per group of 32 k, as "registers" of 64 bytes = 16 rows x 4 consecutive k; byte
//            4*row + k%4. Register j of a group holds k 4j..4j+3, j = 0..7.
// 4-bit:  stored register j (0..3) holds register j in the low and j + 4 in the high nibbles.
// 5-bit:  after the nibbles one 64-byte plane per group; bit j of a byte is the fifth bit of
//         register j.
//         w5h: bit j of the plane is the first bit of register j, below the nibble.
// 6-bit:  after the nibbles two 64-byte planes per group; plane p serves registers 4p..4p+3, bits
//         2(j%4), 2(j%4)+1 of a byte are the upper two bits.
// 8-bit:  eight registers.
// bf16:   per group 16 registers of 16 rows x 2 consecutive k.
// float32: per k the floats of 16 rows.
// 8-bit in planes: the upper five bits can be read without the lower three, and all eight as two
//         nibbles. Upper: a row block begins with 16 x fp16, per row the largest norm that (lower
//         three bits - 3.5) have in a group of it, and 32 unused bytes; then tiles as w5h's: the
//         upper nibbles, and a plane of bit 3. Lower, which lies elsewhere: per group the lower
//         nibbles, bit 3 among them once more, as the 4-bit registers do.
// Quants are stored unsigned: value + offset.
#pragma once

#include <stdint.h>

namespace strata::tensor {

enum class Layout : uint8_t {
  w4s,   // 4 bits, scale                   (Q4_0)            offset 8
  w4t,   // 4 bits through a table, scale   (IQ4_NL, MXFP4)   table holds value + 128
  w4m,   // 4 bits, scale, min              (Q4_1)            offset 0
  w5s,   // 5 bits, scale                   (Q5_0)            offset 16
  w5m,   // 5 bits, scale, min              (Q5_1)            offset 0
  w8s,   // 8 bits, scale                   (Q8_0, requantised types)  offset 128
  w4k,   // 4 bits, K-quant scales and mins (Q4_K)            offset 0
  w5k,   // 5 bits, the same                (Q5_K)            offset 0
  w6k,   // 6 bits, K-quant scales per 16   (Q6_K, Q3_K)      offset 32
  wbf,   // bf16                            (BF16, F16, F32)
  w8p,   // 8 bits in planes, scale         (Q8_0 that is screened)  offset 128
  wf32,  // float32                         (F32 where it is kept whole)
  w5h,   // 5 bits, scale                   (upper bits of a w8p)        offset 16
};
constexpr int kLayouts = 13;

constexpr int kRowBlock = 16;  // output rows of a row block
constexpr int kGroup = 32;     // k of a group: one activation scale, one weight scale

// Bytes before the quants of a tile, bytes of quants and planes of one group, groups of a tile.
struct LayoutInfo {
  const char* name;
  int tile_groups;
  int head_bytes;
  int group_bytes;
  int offset_log2;  // quants are value + 2^offset_log2; -1: offset 0
};

constexpr LayoutInfo kLayoutInfo[kLayouts] = {
    {"w4s", 2, 64, 256, 3},   {"w4t", 2, 64, 256, 7},   {"w4m", 2, 128, 256, -1},
    {"w5s", 2, 64, 320, 4},   {"w5m", 2, 128, 320, -1}, {"w8s", 2, 64, 512, 7},
    {"w4k", 8, 320, 256, -1}, {"w5k", 8, 320, 320, -1}, {"w6k", 8, 320, 384, 5},
    {"wbf", 2, 0, 1024, -1},  {"w8p", 2, 64, 320, 7},   {"wf32", 1, 0, 2048, -1},
    {"w5h", 2, 64, 320, 4},
};

constexpr const LayoutInfo& info(Layout layout) {
  return kLayoutInfo[static_cast<int>(layout)];
}
constexpr int64_t tile_bytes(Layout layout) {  // w8p: of the upper bits
  return info(layout).head_bytes + int64_t{info(layout).tile_groups} * info(layout).group_bytes;
}

// Whether a kernel sees bytes, from a table too.
constexpr bool has_bytes(Layout l) {
  return l == Layout::w8s || l == Layout::w8p || l == Layout::w4t;
}

// w8p: what a row block has before its tiles, and the lower bits of one group.
constexpr int kPlanesHead = 64;
constexpr int kPlaneBytes = 64;  // of a group, bit 3: for a screen only
constexpr int kLowerBytes = 256;

// Head of the K-quant tiles.
// w4k, w5k: d 16 x fp16, dmin 16 x fp16, then per group 16 x u8 scale, 16 x u8 min (6 bits each):
//           weight = d * scale * quant - dmin * min.
// w6k:      d 16 x fp16, 32 bytes unused, then per group 16 x int8 scale of its first 16 k and
//           16 x int8 scale of its last 16 k: weight = d * scale * (quant - 32).
constexpr int kKHeadScales = 64;

// What a kernel reads of one group of 32 quantised activations.
struct GroupMeta {
  float scale;         // activation = scale * q
  float scaled_sum;    // scale * sum of q
  int32_t neg_sum;     // -(sum of q)
  int32_t neg_sum_lo;  // -(sum of the first 16 q)
};

}  // namespace strata::tensor
