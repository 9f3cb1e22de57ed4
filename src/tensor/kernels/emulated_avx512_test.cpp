// lanes_avx512.h with VNNI, emulated.
#if defined(__x86_64__)
#include "tensor/kernels/emulated_avx512.h"

#include "tensor/kernels/emulated_test.h"
#include "tensor/kernels/fast_set.h"

namespace strata::tensor {

const KernelSet& emulated_avx512_kernels() {
  static const KernelSet set = make_fast_set("avx512-vnni emulated");
  return set;
}

}  // namespace strata::tensor

#endif
