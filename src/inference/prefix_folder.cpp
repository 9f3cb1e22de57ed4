#include "inference/prefix_folder.h"

#include "core/error.h"
#include "core/log.h"

namespace strata::inference {
namespace {

PrefixFolder::Entry entry_of(const CacheFolder::File& on_disk) {
  PrefixFolder::Entry entry{.model = {},
                            .n_tokens = 0,
                            .bytes = on_disk.bytes,
                            .last_use_s = on_disk.last_use_s(),
                            .damage = {},
                            .path = on_disk.path};
  try {
    const PrefixFile file = PrefixFile::open(on_disk.path);
    entry.model = models::parse_model_name(file.index().model).full();
    entry.n_tokens = file.index().n_tokens();
  } catch (const Error& error) {
    entry.damage = error.message();
  }
  return entry;
}

}  // namespace

std::vector<PrefixFolder::Entry> PrefixFolder::list() const {
  std::vector<Entry> entries;
  for (const File& file : files()) entries.push_back(entry_of(file));
  return entries;
}

std::optional<PrefixFile> PrefixFolder::open(const PrefixIndex& head) const {
  try {
    PrefixFile file = PrefixFile::open(file_of(head.model));
    if (file.index().identity == head.identity && file.index().block_bytes == head.block_bytes) {
      return file;
    }
    log_info(
        "{}: what is on disk of its prompts was computed by other weights, kernels or another "
        "build, or in another format: not used",
        head.model);
  } catch (const Error& error) {
    if (error.code() != Code::not_found) {
      log_warn("{}: its prompts on disk are not used: {}", head.model, error.message());
    }
  }
  return std::nullopt;
}

}  // namespace strata::inference
