// One weight matrix (or several that share their input), packed once at load for the kernels:
// the file's integers and scales, bit for bit, 16 rows interleaved (tensor/layout.h).
//
//   file type                         layout   exact
//   Q4_0                              w4s      yes
//   IQ4_NL; MXFP4 (scales in fp16's range, else wbf)  w4t  yes
//   Q4_1 / Q5_0 / Q5_1 / Q8_0         w4m / w5s / w5m / w8s   yes
//   Q4_K / Q5_K / Q6_K, Q3_K          w4k / w5k / w6k   yes
//   BF16                              wbf      yes
//   F16, F32, F64                     wbf      rounded to bf16 (nearest even)
//   F32 that is `exact`               wf32     yes
//   every other                       w8s      requantised: int8 with an fp16 scale per 32
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/threads.h"
#include "tensor/arena.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/kernels.h"
#include "tensor/rows.h"

namespace strata::tensor {

// Rows of one stored tensor: `data` begins at the first row and holds rows * cols weights.
struct WeightSource {
  DType type = DType::f32;
  const std::byte* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;    // a multiple of the type's block
  bool exact = false;  // floats stay floats
};

class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Output rows are those of the sources, one after the other. All sources have the same cols; the
  // types may differ. Reads `data` during the call only. Error{invalid_argument} on shapes that do
  // not fit, Error{unimplemented} for a type without numbers (I32, …). The tiles
  // lie in `arena` (whose errors it throws), or in a mapping of their own; those that a filled
  // arena holds are not computed.
  static PackedMatrix pack(std::span<const WeightSource> sources, Team& team,
                           Arena* arena = nullptr);
  // The same for one source of Q8_0, as w8p (tensor/layout.h), which screen() can bound.
  static PackedMatrix pack_in_planes(const WeightSource& source, Team& team,
                                     Arena* arena = nullptr);
  // The gated form: output row i is activation(gate row i · x) * (up row i · x).
  static PackedMatrix pack_gated(const WeightSource& gate, const WeightSource& up, Team& team,
                                 Arena* arena = nullptr);

  int64_t rows() const { return rows_; }  // output rows
  int64_t cols() const { return cols_; }  // k
  bool gated() const { return gated_; }
  bool empty() const { return rows_ == 0; }
  // Units of work: 16 output rows each, except the last of a source.
  int64_t n_row_blocks() const { return n_row_blocks_; }
  size_t bytes() const;              // resident
  bool wants(InputKind kind) const;  // whether matmul reads this kind of input

  // A run of row blocks of one layout. In a gated matrix whose two types differ there are two
  // segments, gate then up, with the same blocks; otherwise gate and up blocks alternate in one.
  struct Segment {
    Layout layout = Layout::w8s;
    int64_t rows = 0;         // output rows
    int64_t first_row = 0;    // where they begin in the output
    int64_t first_block = 0;  // of the matrix's row blocks
    int64_t n_blocks = 0;     // in units of work
    int64_t block_bytes = 0;  // of one stored row block (a gated unit has two)
    int64_t n_groups = 0;
    size_t offset = 0;
    size_t lower_offset = 0;  // w8p: of the lower bits
    int64_t lower_bytes = 0;  // w8p: of one row block
    uint8_t table[16] = {};   // w4t
  };
  std::span<const Segment> segments() const { return segments_; }
  const std::byte* tiles(const Segment& s) const { return buffer_.data() + s.offset; }
  const std::byte* lower(const Segment& s) const { return buffer_.data() + s.lower_offset; }
  // Of bytes() those that a product with all of it does not read: what a matrix in planes has
  // twice.
  size_t unread_bytes() const;
  bool in_planes() const { return segments_.size() == 1 && segments_[0].layout == Layout::w8p; }
  bool interleaved() const { return gated_ && segments_.size() == 1; }

  // Row `row` of the matrix as the kernels see it (tests, tools): cols() floats. Gated matrices:
  // rows() gate rows, then rows() up rows.
  void unpack_row(int64_t row, float* out) const;

 private:
  int64_t rows_ = 0, cols_ = 0, n_row_blocks_ = 0;
  bool gated_ = false;
  std::vector<Segment> segments_;
  Buffer buffer_;
};

// Bytes that a matrix of this type takes when packed. MXFP4 is taken to have scales in fp16's
// range. Error{unimplemented} for a type without numbers.
int64_t packed_bytes(DType type, int64_t rows, int64_t cols, bool exact = false);
// The same of pack_in_planes.
int64_t packed_in_planes_bytes(int64_t rows, int64_t cols);

// out[r * out_stride + row] for all rows r of the input and the output rows of row blocks
// [block_begin, block_end). Each thread of a team takes its share_of(n_row_blocks()); no sum is
// split, so any split gives the same bits. A plain matrix ignores `activation`. The first of the
// rows is `first_row` of the input.
void matmul(const PackedMatrix& matrix, const InputRows& input, int64_t n_rows, float* out,
            int64_t out_stride, int64_t block_begin, int64_t block_end,
            Activation activation = Activation::none, int64_t first_row = 0);
// The same for some row blocks of a matrix that is in_planes(), each for some rows of the input.
struct BlockOfRows {
  int64_t block = 0;
  int64_t first_row = 0;
  int64_t n_rows = 1;
};
void matmul_of_blocks(const PackedMatrix& matrix, const InputRows& input,
                      std::span<const BlockOfRows> blocks, float* out, int64_t out_stride);
// The share of one thread.
void matmul_share(const PackedMatrix& matrix, const InputRows& input, int64_t n_rows, float* out,
                  int64_t out_stride, int thread, int n_threads,
                  Activation activation = Activation::none, int64_t first_row = 0);

// What the products with n_rows rows of the input from first_row on may be at most, from the upper
// bits of a matrix that is in_planes(): likely[r * stride + b] and bound[…] are the greatest
// approximate value and the greatest upper bound of the 16 outputs of row block b. A bound holds
// for what matmul() gives, rounding included, where screen_groups() says so. groups:
// [n_rows][group_stride].
constexpr int64_t kMostScreened = 8;  // rows
void screen(const PackedMatrix& matrix, const InputRows& input, int64_t first_row, int64_t n_rows,
            const ScreenGroup* groups, int64_t group_stride, int64_t block_begin, int64_t block_end,
            float* likely, float* bound, int64_t stride);
// What a screen must know of a row of the input, for as many groups as the matrix has. False where
// sums could overflow: then nothing is bounded.
bool screen_groups(const InputRows& input, int64_t row, std::span<ScreenGroup> groups);

}  // namespace strata::tensor
