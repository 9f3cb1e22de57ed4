// The kernel table: one set of functions per instruction set, chosen once by CPU feature.
// Plain structs and pointers only: kernel files include this and nothing of the standard library,
// so that no inline function compiled for a newer CPU can leak into the rest of the program.
//
// Arithmetic contract, the same in every set: per group of 32 an exact int32 dot product; then
// acc = fma(float(dot), weight_scale * activation_scale, acc); then, with mins,
// acc = fma(min, activation_scale * sum, acc); groups in order; one accumulator per output. So the
// int8 paths give the same bits in every set, for every number of columns, rows and threads.
// Row operations use 16 partial sums (element i into sum i % 16) that are added pairwise
// (i, i + 8), (i, i + 4), …; exp and tanh are polynomials of ours. They give the same bits in every
// set too. bf16 products differ between sets (vdpbf16ps rounds in its own way) and are the same
// within one. Products of floats add k by k with fused multiply-adds into one accumulator an
// output, the same bits in every set.
#pragma once

#include <stddef.h>

#include "tensor/layout.h"

namespace strata::tensor {

enum class Activation : uint8_t { none, silu, gelu_tanh, gelu_erf, relu, relu_squared };

// out[c * out_stride + r] = sum over k of W[r][k] x[c][k] for the rows of n_blocks consecutive row
// blocks and all columns (activation rows) c.
struct MatmulArgs {
  const uint8_t* tiles = nullptr;  // of the first row block
  int64_t block_bytes = 0;         // bytes of one row block
  int32_t n_blocks = 0;
  int32_t last_rows = kRowBlock;  // rows that are written of the last block
  int32_t n_groups = 0;           // groups of 32 k, a multiple of the tile's groups
  int32_t n_cols = 0;
  const int8_t* q = nullptr;        // int8 layouts: [n_cols][q_stride], 32 * n_groups used
  int64_t q_stride = 0;             // bytes
  const GroupMeta* meta = nullptr;  // [n_cols][meta_stride]
  int64_t meta_stride = 0;          // elements
  const uint16_t* bf = nullptr;     // wbf: [n_cols][bf_stride]
  int64_t bf_stride = 0;            // elements
  const float* floats = nullptr;    // wf32: [n_cols][float_stride]
  int64_t float_stride = 0;         // elements
  float* out = nullptr;
  int64_t out_stride = 0;          // floats
  const uint8_t* table = nullptr;  // w4t: 16 entries, value + 128
  // w8p: the lower bits of the first row block, the bytes of one row block's, and how far ahead of
  // both is read: here so many whole tiles as make what the other layouts look ahead. At the end of
  // a row block that is 64 bytes beside what the next one has there.
  const uint8_t* lower = nullptr;
  int64_t lower_bytes = 0;
  int64_t lower_ahead = 4608;
  int64_t upper_ahead = 7744;
  // none: as above. Else blocks 2i are gates and 2i + 1 ups, and output rows 16 i .. 16 i + 15 get
  // activation(gate) * up; last_rows counts rows of the last pair.
  bool gated = false;
  Activation activation = Activation::none;
  uint8_t* scratch = nullptr;  // gemm only: gemm_scratch_bytes, 64-byte aligned
};

// wbf's gemm spreads so many columns at a time out as floats, as L2 has room for.
constexpr int32_t spread_columns(int64_t n_groups) {
  const int64_t fit = (512 << 10) / (128 * n_groups);
  return static_cast<int32_t>(fit < 10 ? 10 : fit);
}
// A set that is by_words makes the activations of so many columns at a time 16-bit words for 8-bit
// products: as many as half of L2 has room for, and so many that weights are not read too often.
constexpr int32_t word_columns(int64_t n_groups) {
  const int64_t fit = (256 << 10) / (64 * n_groups) / 4 * 4;
  return static_cast<int32_t>(fit < 32 ? 32 : fit);
}
// Two row blocks unpacked, and the columns that are spread out or made words.
constexpr int64_t gemm_scratch_bytes(Layout layout, int64_t n_groups, bool by_words) {
  if (layout == Layout::wbf) return spread_columns(n_groups) * 128 * n_groups;
  if (by_words && has_bytes(layout)) {
    return (2 * (1024 + 64) + word_columns(n_groups) * 64) * n_groups;
  }
  return 2 * (512 + 192) * n_groups;
}
using MatmulFn = void (*)(const MatmulArgs&);

// What n_blocks row blocks of w8p may be at most, from their upper bits alone: per row
//   A = 8 * dot + sum over groups of scale * the group's centre,
//   |A - exact| <= B = margin * norm of the row * (underflow + sum over groups of |scale| * the
//   group's reach). The margin is for rounding.
//
// reach: the lower bits, centred, have at most the row's norm and each at most 3.5. Activations
// that hold much of their group's length are better bounded by the 3.5, which is a quarter of
// kLeastNorm, the others by Cauchy-Schwarz: reach = activation scale * (sum of the |large q| / 4 +
// the length of the other q), times norms that are taken to be kLeastNorm at least.
constexpr float kScreenUnderflow = 1e-30f;  // more than products lose below the smallest float
constexpr float kLeastNorm = 14.0f;         // of 32 lower bits that are evenly spread: 13
struct ScreenGroup {                        // of one column
  float centre = 0;                         // activation scale * 3.5 * sum of q
  float reach = 0;                          // rounded up
};
struct ScreenArgs {
  const uint8_t* upper = nullptr;  // of the first row block
  int64_t block_bytes = 0;
  int32_t n_blocks = 0;
  int32_t n_groups = 0;
  int32_t n_cols = 0;
  const float* dots = nullptr;  // [n_cols][dots_stride]: the products of the upper bits as a w5h
  int64_t dots_stride = 0;
  const ScreenGroup* groups = nullptr;  // [n_cols][group_stride]
  int64_t group_stride = 0;
  float margin = 1.0f;
  // [n_cols][block_stride]: the greatest A of a row block, and the greatest A + B.
  float* likely = nullptr;
  float* bound = nullptr;
  int64_t block_stride = 0;
};

// Attention of n_queries query vectors that share one KV head against the keys of one chunk of
// kAttentionChunk absolute positions.
constexpr int kAttentionChunk = 256;
constexpr int kAttentionMaxQueries = 96;
enum class KvFormat : uint8_t { bf16, int8, int4 };  // tensor/kv_page.h says how a page lies
struct AttentionArgs {
  const uint16_t* const* pages = nullptr;  // of the KV head; page i holds positions i * page_size..
  KvFormat format = KvFormat::bf16;
  int32_t page_positions = 0;  // 32 or 64
  int32_t head_dim = 0;        // padded: a multiple of 16
  int32_t value_dim = 0;       // of a value: head_dim, or, where shared, at most that
  bool shared_values = false;  // pages hold keys only, whose first value_dim are the values
  // Per query, by absolute position: added to scores, behind the cap. Null: nothing. Read of every
  // position of the chunk's blocks of 16 that some query sees, also where this one does not.
  const float* const* bias = nullptr;
  int32_t chunk_begin = 0;             // absolute position, a multiple of the chunk
  int32_t n_queries = 0;               // 1 .. kAttentionMaxQueries
  const uint16_t* q = nullptr;         // bf16 [n_queries][head_dim]
  const int32_t* first_key = nullptr;  // per query, absolute, inclusive
  const int32_t* last_key = nullptr;   // per query, absolute, inclusive
  float scale = 0;
  float soft_cap = 0;        // 0: none
  float* scores = nullptr;   // scratch, n_queries * kAttentionChunk floats, 64-byte aligned
  float* factors = nullptr;  // scratch, n_queries * head_dim floats, 64-byte aligned
  // Scratch, 64-byte aligned: int8, int4 2 * kAttentionChunk * head_dim elements, shared values
  // kAttentionChunk * value_dim.
  uint16_t* unpacked = nullptr;
  // Results, null partial (-inf, 0, zeros) for a query that sees no key of the chunk.
  float* max = nullptr;     // [n_queries]
  float* sum = nullptr;     // [n_queries] of exp(score - max)
  float* vector = nullptr;  // [n_queries][value_dim] of exp(score - max) * V
};

// Attention of at most 16 queries of one head, consecutive positions of a sequence, with keys of
// the same sequence on both sides of them.
struct SequenceAttentionArgs {
  int32_t n_queries = 0;    // 1 .. 16
  int32_t head_dim = 0;     // any
  int32_t first_query = 0;  // position of the first, where key 0 has position 0
  int32_t key_begin = 0;    // what any of the queries sees
  int32_t key_end = 0;
  int32_t reach = -1;        // a key is seen while |query - key| <= reach; -1: all
  const float* q = nullptr;  // [n_queries][q_stride]
  int64_t q_stride = 0;
  const float* keys = nullptr;    // [keys][head_dim]
  const float* values = nullptr;  // [keys][head_dim]
  // bias[s] is added where a query stands s positions behind the key, behind the cap. Null:
  // nothing. Read for 16 queries, whatever n_queries.
  const float* bias = nullptr;
  // [keys][16], that of key_begin first: added to the products before these are scaled. Null:
  // nothing.
  const float* products = nullptr;
  float scale = 0;
  float soft_cap = 0;        // 0: none
  float* queries = nullptr;  // scratch, 16 * head_dim floats
  float* scores = nullptr;   // scratch, 16 floats a key from key_begin on
  float* out = nullptr;      // [n_queries][out_stride]
  int64_t out_stride = 0;
};

struct KernelSet {
  const char* name;              // "avx512-vnni-bf16"
  MatmulFn stream[kLayouts];     // few columns: reads packed tiles as they are
  MatmulFn gemm[kLayouts];       // many columns: unpacks row blocks once for all
  int stream_columns[kLayouts];  // use stream up to this many columns
  bool by_words;                 // gemm_scratch_bytes
  void (*attention)(const AttentionArgs&);
  void (*sequence_attention)(const SequenceAttentionArgs&);
  void (*screen)(const ScreenArgs&);
  int screen_columns;  // a screen pays up to so many columns, where very little is computed behind
                       // it

  // Row operations on n floats. `out` may be the input itself.
  // One row to int8: n is padded with zeros to padded_n, a multiple of 32. Where any of n is not
  // finite, the first scale is NaN.
  void (*quantize)(const float* x, int64_t n, int64_t padded_n, int8_t* q, GroupMeta* meta);
  // n floats, a multiple of 16, to int8. Returns what they are multiplied with: NaN if any is not
  // finite, 0 (and zeros) below 1.5e-36.
  float (*to_int8)(const float* x, int64_t n, int8_t* q);
  // Times an orthogonal matrix that is its own inverse and spreads each of the n floats, a multiple
  // of 16, over many: Hadamard's, of 16 * 2^i, the largest that fit one behind the other.
  void (*rotate)(int64_t n, float* x);
  void (*to_bf16)(const float* x, int64_t n, uint16_t* out);  // round to nearest even
  void (*from_bf16)(const uint16_t* x, int64_t n, float* out);
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, int64_t n,
                     float epsilon, float* out);                   // weight, bias: may be null
  void (*add)(const float* x, int64_t n, float* out);              // out += x
  void (*scale)(float factor, int64_t n, float* out);              // out *= factor
  void (*activate)(Activation activation, int64_t n, float* out);  // out = f(out)
  void (*gate)(Activation activation, const float* gates, const float* ups, int64_t n, float* out);
  void (*soft_cap)(float cap, int64_t n, float* out);  // cap * tanh(out / cap)
  // Rotates n_pairs pairs: adjacent (2i, 2i+1) or halves (i, i + n_pairs); cosine and sine tables.
  void (*rope_adjacent)(const float* cosine, const float* sine, int64_t n_pairs, float* x);
  void (*rope_halves)(const float* cosine, const float* sine, int64_t n_pairs, float* x);
  // out[r] = x · row r of `rows`, [n_rows][n], by fused multiply-adds into 16 sums.
  void (*dots)(const float* x, const float* rows, int64_t n_rows, int64_t n, float* out);
  // out[i] += the sum over rows r of weights[r] * rows[r * stride + i], by fused multiply-adds in
  // order of r.
  void (*add_weighted)(const float* weights, const float* rows, int64_t n_rows, int64_t stride,
                       int64_t n, float* out);
  int64_t (*argmax)(const float* x, int64_t n);  // the first of equals; NaN never wins
  // Merges the partial (max2, sum2, vector2) of a later chunk into the running one.
  void (*merge)(float max2, float sum2, const float* vector2, int64_t n, float* max, float* sum,
                float* vector);
};

}  // namespace strata::tensor
