// Packs one row of stored weights into its place in a row block. Internal to PackedMatrix.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace strata::tensor::pack {

// The layout of a type (table in tensor/packed.h). Error{unimplemented} for types without numbers.
Layout layout_of(DType type, const std::byte* data, int64_t n_weights);
// The 16 entries (value + 128) of a w4t matrix of this type.
void fill_table(DType type, uint8_t table[16]);
// Writes row `row` (0..15) of the zeroed row block at `block`; `scratch` holds cols floats.
void pack_row(DType type, Layout layout, const std::byte* src, int64_t cols, int row,
              uint8_t* block, float* scratch);
// One row block of w8s in its two planes (w8p).
void split_planes(const uint8_t* block, int64_t n_groups, uint8_t* upper, uint8_t* lower);
// Row `row` of a row block of w8p: cols floats.
void unpack_planes_row(const uint8_t* upper, const uint8_t* lower, int row, int64_t cols,
                       float* out);
// The inverse, for tests and tools: cols floats of one row of a row block.
void unpack_row(Layout layout, const uint8_t* block, const uint8_t table[16], int row, int64_t cols,
                float* out);

}  // namespace strata::tensor::pack
