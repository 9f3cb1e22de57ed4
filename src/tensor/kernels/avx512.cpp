// Kernels for AVX-512 with VNNI (Cascade Lake, Ice Lake and later).
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& avx512_kernels() {
  static const KernelSet set = make_fast_set("avx512-vnni");
  return set;
}

}  // namespace strata::tensor
