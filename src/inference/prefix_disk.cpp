#include "inference/prefix_disk.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"
#include "core/os.h"
#include "core/progress.h"
#include "core/version.h"
#include "inference/kv_cache.h"
#include "inference/prefix_folder.h"

namespace strata::inference {
namespace {

PrefixIndex head_of(const DiskCache& disk, std::string_view kernels, const KvCache& cache) {
  return {.model = disk.model,
          .identity = fmt::format("weights {}\nkernels {}\nprocessor {}\nprogram {}\nlayout {}",
                                  disk.weights, kernels, cpu_feature_names(), program_identity(),
                                  cache.layout()),
          .block_bytes = cache.block_bytes(),
          .nodes = {}};
}

void save(const DiskCache& disk, const PrefixFolder& folder, const PrefixIndex& head,
          std::optional<PrefixFile> old, KvCache& cache) {
  PrefixSave plan = cache.plan_save(head, old ? &*old : nullptr, disk.max_bytes);
  if (old && !plan.is_news() && old->size_bytes() <= disk.max_bytes) {
    if (plan.is_of_use()) touch(old->path());
    folder.make_room(disk.model, old->size_bytes(), disk.max_bytes);
    return;
  }
  if (plan.index().nodes.empty()) {
    if (old) fs::remove(old->path());  // more than may be, and nothing of it fits
    return;
  }
  folder.make_room(disk.model, plan.file_bytes(), disk.max_bytes);
  const uint64_t start = monotonic_ns();
  cache.save(plan, folder.file_of(disk.model));
  log_info("{}: {} tokens of prompts and answers kept on disk, {} in {} ms", disk.model,
           plan.index().n_tokens(), format_bytes(plan.file_bytes()),
           (monotonic_ns() - start) / 1'000'000);
}

}  // namespace

void recall_prefixes(const DiskCache& disk, std::string_view kernels, KvCache& cache) {
  if (disk.max_bytes == 0) return;
  try {
    if (auto file = PrefixFolder(disk.folder).open(head_of(disk, kernels, cache))) {
      cache.recall_from(std::move(*file));
    }
  } catch (const std::exception& error) {
    log_warn("{}: cannot use what is on disk of its prompts: {}", disk.model, error.what());
  }
}

void save_prefixes(const DiskCache& disk, std::string_view kernels, KvCache& cache) {
  if (disk.max_bytes == 0) return;
  try {
    const PrefixFolder folder(disk.folder);
    const PrefixIndex head = head_of(disk, kernels, cache);
    if (head.block_bytes.size() > kMaxPrefixPools) {
      throw Error(Code::unimplemented,
                  fmt::format("{} kinds of windows, the format has room for {}",
                              head.block_bytes.size(), kMaxPrefixPools));
    }
    const FileLock lock = folder.lock();
    if (disk.still_there && !disk.still_there()) return;
    try {
      save(disk, folder, head, folder.open(head), cache);
    } catch (const Error& error) {
      if (error.code() != Code::data_loss) throw;
      log_warn("{}: not carried over: {}", disk.model, error.message());
      save(disk, folder, head, std::nullopt, cache);
    }
  } catch (const std::exception& error) {
    log_warn("{}: its prompts are not kept on disk: {}", disk.model, error.what());
  }
}

}  // namespace strata::inference
