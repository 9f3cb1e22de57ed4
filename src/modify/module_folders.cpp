#include "modify/module_folders.h"

#include <algorithm>

#include "core/os.h"
#include "models/family/sentence_modules.h"
#include "models/format/hf_limits.h"

namespace strata::modify {

namespace fs = std::filesystem;

std::vector<std::string> module_folders(const fs::path& folder) {
  const fs::path list = folder / models::kModulesFile;
  if (!fs::is_regular_file(list)) return {};
  auto folders = models::sentence_modules_of(read_file(list, models::kMaxHfConfig)).folders;
  std::ranges::sort(folders);
  const auto repeated = std::ranges::unique(folders);
  folders.erase(repeated.begin(), repeated.end());
  std::erase_if(folders, [&](const std::string& name) {
    return !fs::is_directory(fs::symlink_status(folder / name));
  });
  return folders;
}

}  // namespace strata::modify
