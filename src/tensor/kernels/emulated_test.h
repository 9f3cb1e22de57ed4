// The kernel sets for tests: those that run here, and the AVX-512 sets compiled through SIMDe for
// processors that lack it, so that a change to lanes_avx512.h is tested on every machine.
#pragma once

#include <vector>

#include "tensor/kernels.h"

namespace strata::tensor {

std::vector<const KernelSet*> tested_kernels();  // the generic set is the last
bool is_slow(const KernelSet& set);              // generic or emulated: fewer cases are enough

const KernelSet& emulated_avx512_kernels();
const KernelSet& emulated_avx512_bf16_kernels();

}  // namespace strata::tensor
