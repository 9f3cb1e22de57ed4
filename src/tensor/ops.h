// What executors call besides matmul (tensor/packed.h) and attention (tensor/attention.h):
// the kernel set in use, and row operations that need more than one kernel.
// Single row operations are called through kernels(): kernels().rms_norm(…).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/packed.h"
#include "tensor/rows.h"

namespace strata::tensor {

// The best set this CPU runs, or the one that STRATA_CPU names (generic; on x86-64 avx2, avx2-vnni,
// avx512-vnni, avx512-vnni-bf16; on ARM neon-dotprod, neon-i8mm). Chosen at the first call, the
// same ever after.
// Error{invalid_argument} when STRATA_CPU names none, Error{failed_precondition} when the CPU
// cannot run it.
const KernelSet& kernels();
// Every set this CPU can run, the best first, generic last.
std::span<const KernelSet* const> runnable_kernels();
// For tests: kernels() answers `set` from now on; null: the choice by CPU again.
void use_kernels(const KernelSet* set);

enum class NormKind : uint8_t { none, rms, layer };
// out[0..n) = norm of x; weight and bias may be null (then 1 and 0).
void norm_row(NormKind kind, const float* x, const float* weight, const float* bias, int64_t n,
              float epsilon, float* out);
// Norm and conversion to the kinds `rows` wants, without storing the floats.
void norm_into(NormKind kind, const float* x, const float* weight, const float* bias, float epsilon,
               InputRows& rows, int64_t row);

}  // namespace strata::tensor
