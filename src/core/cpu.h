// What this processor can do and how much of it this process may use.
#pragma once

#include <string>

namespace strata {

// Instruction sets the processor has and the operating system saves; those of others are false.
struct CpuFeatures {
  bool avx2 = false;          // with FMA, F16C and BMI2, as every such processor has them
  bool avx_vnni = false;      // 256-bit vpdpbusd
  bool avx512 = false;        // F, BW, DQ, VL, VBMI is not asked for
  bool avx512_vnni = false;   // 512-bit vpdpbusd
  bool avx512_bf16 = false;   // vdpbf16ps
  bool neon_dotprod = false;  // 128-bit sdot and udot
  bool neon_i8mm = false;     // with dotprod: usdot
  std::string brand;          // "AMD EPYC 9575F 64-Core Processor"
};

const CpuFeatures& cpu_features();

// Cores this process may keep busy: the smallest of the affinity mask (counted in physical cores),
// the cgroup's CPU quota rounded up (versions 1 and 2, all levels), and at least 1.
int usable_cores();

// One line for people: the instruction sets by name, "avx2 avx512 avx512-vnni".
std::string cpu_feature_names();

}  // namespace strata
