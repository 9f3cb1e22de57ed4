// Kernels for NEON with the dot products of signed bytes (Armv8.2 and later).
#include "tensor/kernels/fast_set.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {

const KernelSet& neon_dotprod_kernels() {
  static const KernelSet set = make_fast_set("neon-dotprod");
  return set;
}

}  // namespace strata::tensor
