// Kernels for AVX2 with FMA and F16C.
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& avx2_kernels() {
  static const KernelSet set = make_fast_set("avx2");
  return set;
}

}  // namespace strata::tensor
