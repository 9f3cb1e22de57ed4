#include "core/cpu.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace strata {
namespace {

#if defined(__x86_64__)
struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

bool bit(uint32_t word, int index) {
  return ((word >> index) & 1U) != 0;
}

uint64_t saved_state() {  // XCR0: which registers the system saves on a task switch
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

std::string brand_string() {
  char text[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002U + i);
    std::memcpy(text + 16 * i, &r, 16);
  }
  const std::string brand(text);
  const auto first = brand.find_first_not_of(' ');
  const auto last = brand.find_last_not_of(' ');
  return first == std::string::npos ? "" : brand.substr(first, last - first + 1);
}

CpuFeatures detect() {
  CpuFeatures f;
  f.brand = brand_string();
  const Registers one = cpuid(1);
  if (!bit(one.c, 27)) return f;  // no OSXSAVE
  const uint64_t state = saved_state();
  const Registers seven = cpuid(7);
  const Registers seven_one = seven.a >= 1 ? cpuid(7, 1) : Registers{};
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xe6) == 0xe6;
  const bool fma = bit(one.c, 12);
  const bool f16c = bit(one.c, 29);
  f.avx2 = ymm && fma && f16c && bit(seven.b, 5) && bit(seven.b, 8);
  f.avx_vnni = f.avx2 && bit(seven_one.a, 4);
  f.avx512 =
      f.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31);
  f.avx512_vnni = f.avx512 && bit(seven.c, 11);
  f.avx512_bf16 = f.avx512 && bit(seven_one.a, 5);
  return f;
}
#elif defined(__aarch64__)
CpuFeatures detect() {
  CpuFeatures f;
  f.brand = "64-bit ARM";  // the system knows part numbers only
  f.neon_dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  f.neon_i8mm = f.neon_dotprod && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
  return f;
}
#else
CpuFeatures detect() {
  return {};
}
#endif

// Physical cores among the logical ones of the affinity mask.
int cores_in_affinity_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) {
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }
  std::set<std::string> cores;
  int logical = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &mask)) continue;
    ++logical;
    std::ifstream siblings("/sys/devices/system/cpu/cpu" + std::to_string(i) +
                           "/topology/thread_siblings_list");
    std::string line;
    if (std::getline(siblings, line)) cores.insert(line);
  }
  return cores.empty() ? std::max(1, logical) : static_cast<int>(cores.size());
}

// Quota over period of one cgroup folder; infinity where there is none.
double quota_of(const std::string& folder) {
  std::string quota;
  double period = 0;
  if (std::ifstream v2(folder + "/cpu.max"); v2 >> quota >> period) {
    if (quota == "max" || period <= 0) return HUGE_VAL;
    return std::strtod(quota.c_str(), nullptr) / period;
  }
  double micros = 0;
  std::ifstream v1_quota(folder + "/cpu.cfs_quota_us");
  std::ifstream v1_period(folder + "/cpu.cfs_period_us");
  if (v1_quota >> micros && v1_period >> period && micros > 0 && period > 0) return micros / period;
  return HUGE_VAL;
}

// The tightest quota from this process's cgroup up to the root.
double cgroup_quota() {
  double tightest = HUGE_VAL;
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (!controllers.empty() && controllers.find("cpu") == std::string::npos) continue;
    const std::string root = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (int depth = 0; depth < 64; ++depth) {
      tightest = std::min(tightest, quota_of(root + (path == "/" ? "" : path)));
      const auto slash = path.rfind('/');
      if (path.size() <= 1 || slash == std::string::npos) break;
      path = slash == 0 ? "/" : path.substr(0, slash);
    }
  }
  return tightest;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

int usable_cores() {
  const int cores = cores_in_affinity_mask();
  const double quota = std::ceil(cgroup_quota());
  return quota < cores ? std::max(1, static_cast<int>(quota)) : cores;
}

std::string cpu_feature_names() {
  const CpuFeatures& f = cpu_features();
  std::string names = "baseline";
  if (f.avx2) names = "avx2";
  if (f.avx_vnni) names += " avx-vnni";
  if (f.avx512) names += " avx512";
  if (f.avx512_vnni) names += " avx512-vnni";
  if (f.avx512_bf16) names += " avx512-bf16";
  if (f.neon_dotprod) names = "neon-dotprod";
  if (f.neon_i8mm) names += " neon-i8mm";
  return names;
}

}  // namespace strata
