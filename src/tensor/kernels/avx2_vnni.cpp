// Kernels for AVX2 with AVX-VNNI.
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& avx2_vnni_kernels() {
  static const KernelSet set = make_fast_set("avx2-vnni");
  return set;
}

}  // namespace strata::tensor
