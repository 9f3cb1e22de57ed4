// How models in memory make way for one that needs their bytes.
#include "api/gateway/model_manager.h"
#include "core/log.h"
#include "core/os.h"
#include "inference/fitting_advice.h"

namespace strata::api {
namespace {

int64_t megabytes(int64_t bytes) {
  return bytes / 1'000'000;
}

// Not a limit on the caller (429): the same request may be answered once memory is free again.
Error no_memory(const ModelManager::Wish& wish, const inference::MemoryNeed& need, int32_t context,
                int64_t free, int64_t idle, size_t at_work, const std::string& what_fits) {
  std::string message =
      fmt::format("{} needs {} MB (weights {}, context of {}: {}), {} MB are free",
                  wish.manifest.name, megabytes(need.total()), megabytes(need.weight_bytes),
                  context, megabytes(need.kv_bytes), megabytes(free));
  if (idle > 0) message += fmt::format(" and {} MB in idle models", megabytes(idle));
  if (at_work > 0) message += fmt::format("; models at work: {}", at_work);
  return Error(Code::unavailable, message, what_fits);
}

// No waiting helps.
Error never_fits(const ModelManager::Wish& wish, const inference::MemoryNeed& need, int32_t context,
                 int64_t machine, const std::string& what_fits) {
  return Error(
      Code::failed_precondition,
      fmt::format("{} needs {} MB (weights {}, context of {}: {}), and this machine has {}",
                  wish.manifest.name, megabytes(need.total()), megabytes(need.weight_bytes),
                  context, megabytes(need.kv_bytes), megabytes(machine)),
      what_fits);
}

}  // namespace

std::unique_ptr<LoadedModel> ModelManager::take_longest_idle() {
  auto oldest = loaded_.end();
  for (auto it = loaded_.begin(); it != loaded_.end(); ++it) {
    if (it->second->uses > 0) continue;
    if (oldest == loaded_.end() || it->second->idle_since_ms < oldest->second->idle_since_ms) {
      oldest = it;
    }
  }
  if (oldest == loaded_.end()) return nullptr;
  log_info("unloading {}, which makes room", oldest->first);
  auto model = std::move(oldest->second);
  loaded_.erase(oldest);
  return model;
}

void ModelManager::make_memory(const Wish& wish, const models::Model& model,
                               const inference::MemoryNeed& need, int32_t context) {
  const int64_t machine = options_.machine_bytes > 0 ? options_.machine_bytes
                                                     : static_cast<int64_t>(total_memory_bytes());
  const auto advice = [&](int64_t bytes) {
    return inference::to_text(
        inference::advise_fitting(model.spec, *model.file, context, bytes, options_.kv));
  };
  if (need.total() > machine) throw never_fits(wish, need, context, machine, advice(machine));
  while (true) {
    const int64_t free = options_.free_bytes ? options_.free_bytes()
                                             : static_cast<int64_t>(available_memory_bytes());
    if (need.total() <= free) return;
    std::unique_ptr<LoadedModel> leaving;  // goes outside the lock: its engine has to end
    const std::lock_guard lock(mutex_);
    int64_t idle = 0;
    size_t at_work = 0;
    for (const auto& [name, one] : loaded_) {
      if (one->uses > 0) {
        ++at_work;
      } else {
        idle += one->memory_bytes;
      }
    }
    if (need.total() <= free + idle) leaving = take_longest_idle();
    if (!leaving) {
      throw no_memory(wish, need, context, free, idle, at_work, advice(free + idle));
    }
  }
}

}  // namespace strata::api
