// The kernel sets that exist, one per file of this folder. Which of them this CPU can run is
// tensor/ops.cpp's business.
#pragma once

#include "tensor/kernels.h"

namespace strata::tensor {

const KernelSet& generic_kernels();
#if defined(__x86_64__)
const KernelSet& avx2_kernels();
const KernelSet& avx2_vnni_kernels();
const KernelSet& avx512_kernels();
const KernelSet& avx512_bf16_kernels();
#elif defined(__aarch64__)
const KernelSet& neon_dotprod_kernels();
const KernelSet& neon_i8mm_kernels();
#endif

}  // namespace strata::tensor
