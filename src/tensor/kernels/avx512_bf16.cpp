// Kernels for AVX-512 with VNNI and BF16 (Cooper Lake, Zen 4 and later).
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& avx512_bf16_kernels() {
  static const KernelSet set = make_fast_set("avx512-vnni-bf16");
  return set;
}

}  // namespace strata::tensor
