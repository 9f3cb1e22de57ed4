// lanes_avx512.h with products of bf16 by vdpbf16ps, emulated.
#if defined(__x86_64__)
#include "tensor/kernels/emulated_avx512.h"

#define STRATA_LANES_BF16
#include "tensor/kernels/emulated_test.h"
#include "tensor/kernels/fast_set.h"

namespace strata::tensor {

const KernelSet& emulated_avx512_bf16_kernels() {
  static const KernelSet set = make_fast_set("avx512-vnni-bf16 emulated");
  return set;
}

}  // namespace strata::tensor

#endif
