// What can be done with 8-bit weights in planes and not with others: bounds from the upper plane,
// and the products of some row blocks only (docs/engine/head.md).
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/work.h"
#include "tensor/matmul_args.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

// The products of the upper bits of row blocks [begin, end), as those of a w5h: [n_rows][stride].
void multiply_upper(const PackedMatrix& matrix, const InputRows& input, int64_t first_row,
                    int64_t n_rows, int64_t begin, int64_t end, float* dots, int64_t stride) {
  MatmulArgs args = args_for(matrix, matrix.segments()[0], input, first_row, n_rows, begin, end);
  args.tiles += kPlanesHead;
  args.lower_bytes = 0;
  args.last_rows = kRowBlock;  // those behind the last are zero
  args.out = dots;
  args.out_stride = stride;
  run_kernel(args, Layout::w5h);
}

// Rounding, with G groups and u = 2^-24: the norm of 32 weights is at most 128 sqrt(32), a reach at
// least a quarter of the length and taken 14 times, so terms of the exact sum are at most 207 times
// those of B, terms of A 213 times. The exact sum rounds G + 2 times, A 2 G + 3 times, the sum of
// B G + 1 times and A + B once: (634 G + 1,300) u B at most. The margin is (1,024 G + 4,096) u.
float screen_margin(int64_t n_groups) {
  return 1.0f + static_cast<float>(n_groups + 4) * 0x1p-14f;
}

// ScreenGroup::reach of 32 activations, without their scale.
float reach_of(const int8_t* q) {
  uint8_t size[kGroup];
  int32_t squares = 0;
  for (int k = 0; k < kGroup; ++k) {
    size[k] = static_cast<uint8_t>(q[k] < 0 ? -q[k] : q[k]);
    squares += size[k] * size[k];
  }
  // Taking x away from a length L gains while x / 4 < L - sqrt(L^2 - x^2): x > 8 / 17 L.
  int32_t large = 0;
  while (squares > 0) {
    uint8_t* most = std::max_element(size, size + kGroup);
    const int32_t square = *most * *most;
    if (17 * 17 * square <= 8 * 8 * squares) break;
    large += *most;
    squares -= square;
    *most = 0;
  }
  return std::sqrt(static_cast<float>(squares)) + 0.25f * static_cast<float>(large);
}

}  // namespace

void matmul_of_blocks(const PackedMatrix& matrix, const InputRows& input,
                      std::span<const BlockOfRows> blocks, float* out, int64_t out_stride) {
  CHECK(matrix.in_planes());
  const PackedMatrix::Segment& s = matrix.segments()[0];
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, first_row, n_rows] = blocks[i];
    MatmulArgs args = args_for(matrix, s, input, first_row, n_rows, block, block + 1);
    const int64_t to_next = blocks[std::min(i + 1, blocks.size() - 1)].block - block;
    args.upper_ahead = to_next * s.block_bytes;
    args.lower_ahead = to_next * s.lower_bytes;
    args.out = out + first_row * out_stride + block * kRowBlock;
    args.out_stride = out_stride;
    run_kernel(args, s.layout);
  }
}

void screen(const PackedMatrix& matrix, const InputRows& input, int64_t first_row, int64_t n_rows,
            const ScreenGroup* groups, int64_t group_stride, int64_t block_begin, int64_t block_end,
            float* likely, float* bound, int64_t stride) {
  CHECK(matrix.in_planes() && block_begin >= 0 && block_end <= matrix.n_row_blocks());
  CHECK(input.int8.rows() >= first_row + n_rows && input.int8.k() == matrix.cols());
  CHECK(n_rows <= kMostScreened);
  constexpr int64_t kBlocks = 8;
  alignas(64) float dots[kMostScreened * kBlocks * kRowBlock];
  const PackedMatrix::Segment& s = matrix.segments()[0];
  ScreenArgs args;
  args.block_bytes = s.block_bytes;
  args.n_groups = static_cast<int32_t>(s.n_groups);
  args.dots = dots;
  args.dots_stride = kBlocks * kRowBlock;
  args.n_cols = static_cast<int32_t>(n_rows);
  args.groups = groups;
  args.group_stride = group_stride;
  args.margin = screen_margin(s.n_groups);
  args.block_stride = stride;
  for (int64_t b = block_begin; b < block_end; b += kBlocks) {
    const int64_t end = std::min(b + kBlocks, block_end);
    args.upper = reinterpret_cast<const uint8_t*>(matrix.tiles(s)) + b * s.block_bytes;
    args.n_blocks = static_cast<int32_t>(end - b);
    args.likely = likely + b;
    args.bound = bound + b;
    multiply_upper(matrix, input, first_row, n_rows, b, end, dots, args.dots_stride);
    ++thread_work().kernel_calls;
    kernels().screen(args);
  }
}

bool screen_groups(const InputRows& input, int64_t row, std::span<ScreenGroup> groups) {
  constexpr float kSafe = 1e30f;  // times 65504, 131.5 sqrt(32) and 4: below the largest float
  CHECK(static_cast<int64_t>(groups.size()) * kGroup >= input.int8.k());
  const int8_t* q = input.int8.q(row);
  const GroupMeta* meta = input.int8.meta(row);
  float total = 0.0f;
  for (size_t g = 0; g < groups.size(); ++g, q += kGroup) {
    groups[g] = {.centre = 3.5f * meta[g].scaled_sum,
                 .reach = meta[g].scale * reach_of(q) * 1.000001f};
    total += groups[g].reach;
  }
  return total < kSafe;
}

}  // namespace strata::tensor
