// matmul over a PackedMatrix: cuts the work by segment, chooses stream or gemm, gives scratch.
#include <algorithm>
#include <cstdlib>

#include "core/check.h"
#include "core/work.h"
#include "tensor/matmul_args.h"
#include "tensor/ops.h"

namespace strata::tensor {
namespace {

uint8_t* gemm_scratch(Layout layout, int64_t n_groups) {
  thread_local Buffer scratch;
  const auto bytes = static_cast<size_t>(gemm_scratch_bytes(layout, n_groups, kernels().by_words));
  if (bytes > scratch.size()) scratch = Buffer(bytes);
  return scratch.as<uint8_t>();
}

}  // namespace

void run_kernel(MatmulArgs& args, Layout layout) {
  const KernelSet& set = kernels();
  const auto index = static_cast<size_t>(layout);
  const int64_t unread = layout == Layout::w8p ? int64_t{args.n_groups} * kPlaneBytes : 0;
  thread_work().weight_bytes += args.n_blocks * (args.block_bytes + args.lower_bytes - unread);
  ++thread_work().kernel_calls;
  if (args.n_cols <= set.stream_columns[index]) {
    set.stream[index](args);
  } else {
    args.scratch = gemm_scratch(layout, args.n_groups);
    set.gemm[index](args);
  }
}

// Up to so many bytes of a row block the next one is what is read ahead.
constexpr int64_t kNearBlock = 12 << 10;

MatmulArgs args_for(const PackedMatrix& matrix, const PackedMatrix::Segment& s,
                    const InputRows& input, int64_t first_row, int64_t n_rows, int64_t begin,
                    int64_t end) {
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
    if (s.block_bytes <= kNearBlock) {
      args.upper_ahead = s.block_bytes;
      args.lower_ahead = s.lower_bytes;
    }
  }
  return args;
}

namespace {

using Segment = PackedMatrix::Segment;

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

void matmul_share(const PackedMatrix& matrix, const InputRows& input, int64_t n_rows, float* out,
                  int64_t out_stride, int thread, int n_threads, Activation activation,
                  int64_t first_row) {
  const Share share = share_of(matrix.n_row_blocks(), thread, n_threads);
  matmul(matrix, input, n_rows, out, out_stride, share.begin, share.end, activation, first_row);
}

}  // namespace strata::tensor
