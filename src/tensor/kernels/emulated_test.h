// The kernel sets for tests: those that run here, and for processors that lack them the AVX-512
// sets compiled through SIMDe and the AVX-VNNI set with its instruction written out, so that a
// change to any lanes_*.h for x86 is tested on every such machine.
#pragma once

#include <vector>

#include "tensor/kernels.h"

namespace strata::tensor {

std::vector<const KernelSet*> tested_kernels();  // the generic set is the last
bool is_slow(const KernelSet& set);              // generic or emulated: fewer cases are enough

const KernelSet& emulated_avx2_vnni_kernels();
const KernelSet& emulated_avx512_kernels();
const KernelSet& emulated_avx512_bf16_kernels();

}  // namespace strata::tensor
