#include "api/machine.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "core/cpu.h"
#include "core/os.h"
#include "tensor/bandwidth.h"

namespace strata::api {
namespace {

constexpr uint64_t kProbeBytes = 256u << 20;  // beyond any cache
constexpr uint64_t kWorkBytes = 80u << 20;    // as inference/memory.cpp has it
constexpr std::chrono::seconds kFresh{30};

double measure() {
  Team team(usable_cores());
  const uint64_t bytes = std::min(kProbeBytes, available_memory_bytes() / 8);
  return tensor::read_bandwidth(team, static_cast<int64_t>(bytes));
}

}  // namespace

double memory_bandwidth() {
  static std::mutex mutex;
  static double best = 0;
  static std::chrono::steady_clock::time_point fresh_until;
  const std::lock_guard lock(mutex);
  if (best == 0 || std::chrono::steady_clock::now() >= fresh_until) {
    best = std::max(best, measure());
    fresh_until = std::chrono::steady_clock::now() + kFresh;
  }
  return best;
}

ModelNeed need_of(const models::CatalogEntry& entry, uint64_t context) {
  const uint64_t positions = std::min(context, entry.context);
  return {positions, entry.size, models::cache_bytes(entry, positions), kWorkBytes};
}

double fastest_writing(double weight_bytes_a_token, const ModelNeed& need) {
  const double read = weight_bytes_a_token + static_cast<double>(need.cache_bytes) / 2;
  return memory_bandwidth() / std::max(read, 1.0);
}

}  // namespace strata::api
