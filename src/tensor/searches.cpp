#include "tensor/searches.h"

#include "core/cpu.h"
#include "tensor/half.h"

namespace strata::tensor {

const SearchSet& searches() {
#if defined(__x86_64__)
  if (cpu_features().avx2) return avx2_searches();
#endif
  return generic_searches();
}

float nearest_half(float x) {
  return f16_to_f32(f32_to_f16(x));
}

}  // namespace strata::tensor
