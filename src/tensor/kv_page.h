// The pages of the key-value cache: their formats, and writing, copying and reading positions.
//
// A page holds positions of one KV head of one layer: K, then V; head_dim is padded with zeros to a
// multiple of 16.
//   bf16  K  per 16 positions: [head_dim / 2][16 positions][2]   (dims 2i, 2i+1 of a position)
//         V  [positions / 2][head_dim][2]                        (positions 2i, 2i+1 of a dim)
//   int8  K  per 16 positions: [head_dim][16 positions]
//         V  [positions / 2][head_dim / 16][2 positions][16 dims]
//   int4  K  per 16 positions: [head_dim / 2][16 positions]        (two dims a byte)
//         V  [positions / 2][head_dim][2 positions]                (two positions a byte)
//         the first of two in the lower four bits; n stands for 2 n - 15
//   int8 and int4 end with, as floats, what they are multiplied with: K's [positions], V's
//   [positions]
// Where the values are dims of the keys (KvShape::shared_dims), K is all of a page.
// int8 and int4 are of rotated keys and values (KernelSet::rotate), so that no dim is much larger
// than others; queries are rotated too, which leaves their products as they are, and sums of values
// back. A block of 32 elements, which one product of pairs eats, stands at the same place in all.
// docs/engine/kv_formats.md has the figures.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/kernels.h"

namespace strata::tensor {

// "bf16", "int8", "int4"
std::string_view kv_format_name(KvFormat format);
// Error{invalid_argument} that begins with `what` ("--kv") for a text that names none. Ollama's
// words are known too: "f16", where we keep bf16, "q8_0" and "q4_0".
KvFormat kv_format_of(std::string_view text, std::string_view what);

struct KvShape {
  int32_t head_dim = 0;
  KvFormat format = KvFormat::bf16;
  // Not 0: the values are the first so many dims of the keys and stand in them only; bf16.
  int32_t shared_dims = 0;

  int32_t padded_dim() const { return (head_dim + 15) / 16 * 16; }
  int32_t value_dim() const { return shared_dims > 0 ? shared_dims : head_dim; }
  int32_t padded_value_dim() const { return (value_dim() + 15) / 16 * 16; }
  int32_t page_positions() const { return head_dim <= 64 ? 64 : 32; }
  // Whether the elements are whole numbers, of what was rotated, and have scales.
  bool is_scaled() const { return format != KvFormat::bf16; }
  int64_t element_bits() const {
    return format == KvFormat::bf16 ? 16 : format == KvFormat::int8 ? 8 : 4;
  }
  // Of K and V of one position.
  int64_t position_bytes() const {
    const int64_t keys = padded_dim() * element_bits() / 8;
    if (shared_dims > 0) return keys;
    return 2 * keys + (is_scaled() ? int64_t{2} * int64_t{sizeof(float)} : 0);
  }
  int64_t page_bytes() const { return page_positions() * position_bytes(); }  // a multiple of 64
  int64_t page_words() const { return page_bytes() / 2; }  // pages stand as uint16_t
  bool operator==(const KvShape&) const = default;
};

// k and v (head_dim floats each; shared: v is not read) become position `slot` of a page. A page
// must be zeroed when a sequence gets it: what a former owner left would be multiplied with zero,
// and NaN stays NaN. Different pairs of slots (2i, 2i + 1) may be written by different threads.
void write_kv(const KvShape& shape, uint16_t* page, int32_t slot, const float* k, const float* v);
// The first n positions of a page (all when n is the page's size or more, none when 0 or less) into
// a zeroed one.
void copy_kv(const KvShape& shape, const uint16_t* from, int32_t n, uint16_t* to);
// Back to floats (tests, the cache's tools), v of value_dim().
void read_kv(const KvShape& shape, const uint16_t* page, int32_t slot, float* k, float* v);

}  // namespace strata::tensor
