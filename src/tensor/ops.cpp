#include "tensor/ops.h"

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/cpu.h"
#include "core/error.h"
#include "tensor/kernels/sets.h"

namespace strata::tensor {
namespace {

// Making a set is itself code for its instructions: only one that runs here may be made.
struct Candidate {
  std::string_view name;
  const KernelSet& (*set)();
  bool runs;
};

std::vector<Candidate> candidates() {
  [[maybe_unused]] const CpuFeatures& cpu = cpu_features();
  return {
#if defined(__x86_64__)
      {"avx512-vnni-bf16", avx512_bf16_kernels, cpu.avx512_vnni && cpu.avx512_bf16},
      {"avx512-vnni", avx512_kernels, cpu.avx512_vnni},
      {"avx2-vnni", avx2_vnni_kernels, cpu.avx_vnni},
      {"avx2", avx2_kernels, cpu.avx2},
#elif defined(__aarch64__)
      {"neon-i8mm", neon_i8mm_kernels, cpu.neon_i8mm},
      {"neon-dotprod", neon_dotprod_kernels, cpu.neon_dotprod},
#endif
      {"generic", generic_kernels, true},
  };
}

const KernelSet& choose() {
  const char* wish = std::getenv("STRATA_CPU");
  std::string names;
  for (const Candidate& candidate : candidates()) {
    if (wish == nullptr || *wish == '\0') {
      if (candidate.runs) return candidate.set();
      continue;
    }
    names += (names.empty() ? "" : ", ") + std::string(candidate.name);
    if (wish != candidate.name) continue;
    if (candidate.runs) return candidate.set();
    throw Error(
        Code::failed_precondition,
        fmt::format("STRATA_CPU={}, but this processor has only: {}", wish, cpu_feature_names()),
        "unset STRATA_CPU to choose by processor");
  }
  throw Error(Code::invalid_argument, fmt::format("STRATA_CPU={} is no kernel set", wish),
              "one of: " + names);
}

std::atomic<const KernelSet*> forced{nullptr};

// Floats of one row between norm and conversion.
float* row_scratch(int64_t n) {
  thread_local std::vector<float> scratch;
  if (static_cast<size_t>(n) > scratch.size()) scratch.resize(static_cast<size_t>(n));
  return scratch.data();
}

}  // namespace

const KernelSet& kernels() {
  if (const KernelSet* set = forced.load(std::memory_order_relaxed)) return *set;
  static const KernelSet& chosen = choose();
  return chosen;
}

std::span<const KernelSet* const> runnable_kernels() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> list;
    for (const Candidate& candidate : candidates()) {
      if (candidate.runs) list.push_back(&candidate.set());
    }
    return list;
  }();
  return sets;
}

void use_kernels(const KernelSet* set) {
  forced.store(set, std::memory_order_relaxed);
}

void norm_row(NormKind kind, const float* x, const float* weight, const float* bias, int64_t n,
              float epsilon, float* out) {
  switch (kind) {
    case NormKind::rms:
      kernels().rms_norm(x, weight, n, epsilon, out);
      break;
    case NormKind::layer:
      kernels().layer_norm(x, weight, bias, n, epsilon, out);
      break;
    case NormKind::none:
      if (out != x) {
        for (int64_t i = 0; i < n; ++i) out[i] = x[i];
      }
      break;
  }
}

void norm_into(NormKind kind, const float* x, const float* weight, const float* bias, float epsilon,
               InputRows& rows, int64_t row) {
  if (kind == NormKind::none) return fill_row(x, rows, row);
  float* normed = row_scratch(rows.k);
  norm_row(kind, x, weight, bias, rows.k, epsilon, normed);
  fill_row(normed, rows, row);
}

}  // namespace strata::tensor
