// Kernels for NEON with the dot products of unsigned with signed bytes (Armv8.6 and later).
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& neon_i8mm_kernels() {
  static const KernelSet set = make_fast_set("neon-i8mm");
  return set;
}

}  // namespace strata::tensor
