// Folders that are made for something which may not come about: of a mistyped place, nothing stays.
#pragma once

#include <vector>

#include "core/os.h"

namespace strata {

class MadeFolders {
 public:
  // Makes what is missing of the folder's path; its errors are those of make_directories.
  explicit MadeFolders(const fs::path& folder);
  // Those that it made go away again as far as they are empty.
  ~MadeFolders();
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;

 private:
  MadeFolders() = default;
  std::vector<fs::path> made_;  // the innermost first
};

}  // namespace strata
