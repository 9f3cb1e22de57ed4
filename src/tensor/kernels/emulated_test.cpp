// Which sets the tests of kernels run.
#include "tensor/kernels/emulated_test.h"

#include <string_view>

#include "core/cpu.h"
#include "tensor/ops.h"

namespace strata::tensor {

std::vector<const KernelSet*> tested_kernels() {
  std::vector<const KernelSet*> sets;
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2 && !cpu.avx512_bf16) sets.push_back(&emulated_avx512_bf16_kernels());
#if !defined(__AVXVNNI__)
  if (cpu.avx2 && !cpu.avx_vnni) sets.push_back(&emulated_avx2_vnni_kernels());
#endif
  if (cpu.avx2 && !cpu.avx512_vnni) sets.push_back(&emulated_avx512_kernels());
#endif
  sets.insert(sets.end(), runnable_kernels().begin(), runnable_kernels().end());
  return sets;
}

bool is_slow(const KernelSet& set) {
  return &set == runnable_kernels().back() ||
         std::string_view(set.name).find("emulated") != std::string_view::npos;
}

}  // namespace strata::tensor
