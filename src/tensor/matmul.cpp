// matmul over a PackedMatrix: cuts the work by segment, chooses stream or gemm, gives scratch.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/check.h"
#include "core/work.h"
#include "tensor/ops.h"
#include "tensor/packed.h"

namespace strata::tensor {
namespace {

uint8_t* gemm_scratch(Layout layout, int64_t n_groups) {
  thread_local Buffer scratch;
  const auto bytes = static_cast<size_t>(gemm_scratch_bytes(layout, n_groups, kernels().by_words));
  if (bytes > scratch.size()) scratch = Buffer(bytes);
  return scratch.as<uint8_t>();
}

using Segment = PackedMatrix::Segment;

void run_kernel(MatmulArgs& args, Layout layout) {
  const KernelSet& set = kernels();
  const auto index = static_cast<size_t>(layout);
  thread_work().weight_bytes += args.n_blocks * (args.block_bytes + args.lower_bytes);
  ++thread_work().kernel_calls;
  if (args.n_cols <= set.stream_columns[index]) {
    set.stream[index](args);
  } else {
    args.scratch = gemm_scratch(layout, args.n_groups);
    set.gemm[index](args);
  }
}

// Fills what depends on the segment and the input: blocks [begin, end) of the segment's units,
// n_rows rows from first_row on.
MatmulArgs args_for(const PackedMatrix& matrix, const Segment& s, const InputRows& input,
                    int64_t first_row, int64_t n_rows, int64_t begin, int64_t end) {
  MatmulArgs args;
  const int64_t stored_per_unit = matrix.interleaved() ? 2 : 1;
  args.tiles =
      reinterpret_cast<const uint8_t*>(matrix.tiles(s)) + begin * stored_per_unit * s.block_bytes;
  args.block_bytes = s.block_bytes;
  args.n_blocks = static_cast<int32_t>((end - begin) * stored_per_unit);
  const bool last = end == s.n_blocks;
  args.last_rows = last ? static_cast<int32_t>(s.rows - (s.n_blocks - 1) * kRowBlock) : kRowBlock;
  args.n_groups = static_cast<int32_t>(s.n_groups);
  args.n_cols = static_cast<int32_t>(n_rows);
  if (s.layout == Layout::wbf) {
    CHECK(input.bf16.rows() >= first_row + n_rows && input.bf16.k() == matrix.cols());
    args.bf = input.bf16.row(first_row);
    args.bf_stride = input.bf16.stride();
  } else if (s.layout == Layout::wf32) {
    CHECK(input.f32.rows() >= first_row + n_rows && input.f32.k() == matrix.cols());
    args.floats = input.f32.row(first_row);
    args.float_stride = input.f32.stride();
  } else {
    CHECK(input.int8.rows() >= first_row + n_rows && input.int8.k() == matrix.cols());
    args.q = input.int8.q(first_row);
    args.q_stride = input.int8.q_stride();
    args.meta = input.int8.meta(first_row);
    args.meta_stride = input.int8.meta_stride();
  }
  args.table = s.table;
  if (s.layout == Layout::w8p) {
    args.lower_bytes = s.lower_bytes;
    args.lower = reinterpret_cast<const uint8_t*>(matrix.lower(s)) + begin * s.lower_bytes;
  }
  return args;
}

// Gate and up of different layouts: both into small blocks of floats, then the activation.
void matmul_two_segments(const PackedMatrix& matrix, const InputRows& input, int64_t first_row,
                         int64_t n_rows, float* out, int64_t out_stride, int64_t begin, int64_t end,
                         Activation activation) {
  constexpr int64_t kColumns = 48;
  alignas(64) float part[2][kColumns * kRowBlock];
  for (int64_t b = begin; b < end; ++b) {
    for (int64_t c = 0; c < n_rows; c += kColumns) {
      const int64_t n = std::min(kColumns, n_rows - c);
      int64_t rows = 0;
      for (size_t i = 0; i < 2; ++i) {
        const Segment& s = matrix.segments()[i];
        MatmulArgs args = args_for(matrix, s, input, first_row + c, n, b, b + 1);
        rows = args.last_rows;
        args.out = part[i];
        args.out_stride = kRowBlock;
        run_kernel(args, s.layout);
      }
      for (int64_t i = 0; i < n; ++i) {
        kernels().gate(activation, part[0] + i * kRowBlock, part[1] + i * kRowBlock, rows,
                       out + (c + i) * out_stride + b * kRowBlock);
      }
    }
  }
}

}  // namespace

void matmul(const PackedMatrix& matrix, const InputRows& input, int64_t n_rows, float* out,
            int64_t out_stride, int64_t block_begin, int64_t block_end, Activation activation,
            int64_t first_row) {
  CHECK(block_begin >= 0 && block_end <= matrix.n_row_blocks());
  if (n_rows == 0 || block_begin >= block_end) return;
  if (matrix.gated() && !matrix.interleaved()) {
    return matmul_two_segments(matrix, input, first_row, n_rows, out, out_stride, block_begin,
                               block_end, activation);
  }
  for (const Segment& s : matrix.segments()) {
    const int64_t begin = std::max(block_begin, s.first_block) - s.first_block;
    const int64_t end = std::min(block_end, s.first_block + s.n_blocks) - s.first_block;
    if (begin >= end) continue;
    MatmulArgs args = args_for(matrix, s, input, first_row, n_rows, begin, end);
    args.gated = matrix.gated();
    args.activation = activation;
    args.out = out + s.first_row + begin * kRowBlock;
    args.out_stride = out_stride;
    run_kernel(args, s.layout);
  }
}

void matmul_of_blocks(const PackedMatrix& matrix, const InputRows& input, int64_t row,
                      std::span<const int64_t> blocks, float* out) {
  CHECK(matrix.in_planes());
  const Segment& s = matrix.segments()[0];
  for (size_t i = 0; i < blocks.size(); ++i) {
    MatmulArgs args = args_for(matrix, s, input, row, 1, blocks[i], blocks[i] + 1);
    const int64_t to_next = blocks[std::min(i + 1, blocks.size() - 1)] - blocks[i];
    args.upper_ahead = to_next * s.block_bytes;
    args.lower_ahead = to_next * s.lower_bytes;
    args.out = out + blocks[i] * kRowBlock;
    run_kernel(args, s.layout);
  }
}

void matmul_share(const PackedMatrix& matrix, const InputRows& input, int64_t n_rows, float* out,
                  int64_t out_stride, int thread, int n_threads, Activation activation,
                  int64_t first_row) {
  const Share share = share_of(matrix.n_row_blocks(), thread, n_threads);
  matmul(matrix, input, n_rows, out, out_stride, share.begin, share.end, activation, first_row);
}

void screen(const PackedMatrix& matrix, const InputRows& input, int64_t first_row, int64_t n_rows,
            const float* norms, int64_t norm_stride, int64_t block_begin, int64_t block_end,
            float* likely, float* bound, int64_t stride) {
  CHECK(matrix.in_planes() && block_begin >= 0 && block_end <= matrix.n_row_blocks());
  CHECK(input.int8.rows() >= first_row + n_rows && input.int8.k() == matrix.cols());
  if (n_rows == 0 || block_begin >= block_end) return;
  const Segment& s = matrix.segments()[0];
  ScreenArgs args;
  args.upper = reinterpret_cast<const uint8_t*>(matrix.tiles(s)) + block_begin * s.block_bytes;
  args.block_bytes = s.block_bytes;
  args.n_blocks = static_cast<int32_t>(block_end - block_begin);
  args.n_groups = static_cast<int32_t>(s.n_groups);
  args.n_cols = static_cast<int32_t>(n_rows);
  args.q = input.int8.q(first_row);
  args.q_stride = input.int8.q_stride();
  args.meta = input.int8.meta(first_row);
  args.meta_stride = input.int8.meta_stride();
  args.norms = norms;
  args.norm_stride = norm_stride;
  // Rounding, with G groups and u = 2^-24: the norm of 32 weights is at most 128 sqrt(32), their
  // centred lower bits' at least 0.5 sqrt(32), so terms of the exact sum are at most 256 times
  // those of B, terms of A 263 times. The exact sum rounds G + 2 times, A 2 G + 3 times, the sum of
  // B G + 1 times and A + B once: (782 G + 1,600) u B at most. The margin is (1,024 G + 4,096) u.
  args.margin = 1.0f + static_cast<float>(s.n_groups + 4) * 0x1p-14f;
  args.likely = likely + block_begin;
  args.bound = bound + block_begin;
  args.block_stride = stride;
  thread_work().weight_bytes += args.n_blocks * args.block_bytes;
  ++thread_work().kernel_calls;
  kernels().screen(args);
}

bool norms_for_screen(const InputRows& input, int64_t row, std::span<float> norms) {
  constexpr float kSafe = 1e30f;  // times 65504 and 131.5 sqrt(32): below the largest float
  CHECK(static_cast<int64_t>(norms.size()) * kGroup >= input.int8.k());
  const int8_t* q = input.int8.q(row);
  const GroupMeta* meta = input.int8.meta(row);
  float total = 0.0f;
  for (size_t g = 0; g < norms.size(); ++g, q += kGroup) {
    int32_t squares = 0;
    for (int k = 0; k < kGroup; ++k) squares += q[k] * q[k];
    norms[g] = meta[g].scale * std::sqrt(static_cast<float>(squares)) * 1.000001f;
    total += norms[g];
  }
  return total < kSafe;
}

}  // namespace strata::tensor
