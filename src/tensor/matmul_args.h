// How one segment of a packed matrix goes to a kernel; for matmul.cpp and planes.cpp.
#pragma once

#include "tensor/packed.h"

namespace strata::tensor {

// What depends on the segment and the input: blocks [begin, end) of the segment's units, n_rows
// rows of the input from first_row on. The rest is the caller's: where results go, gates.
MatmulArgs args_for(const PackedMatrix& matrix, const PackedMatrix::Segment& s,
                    const InputRows& input, int64_t first_row, int64_t n_rows, int64_t begin,
                    int64_t end);
// By stream or gemm, whichever is faster for so many columns, with scratch of this thread.
void run_kernel(MatmulArgs& args, Layout layout);

}  // namespace strata::tensor
