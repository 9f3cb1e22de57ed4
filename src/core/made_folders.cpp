#include "core/made_folders.h"

#include <system_error>

namespace strata {

// By way of the other constructor, so that the destructor runs where this one throws.
MadeFolders::MadeFolders(const fs::path& folder) : MadeFolders() {
  if (folder.empty()) return;
  std::error_code ignored;
  for (fs::path at = fs::absolute(folder); at.has_relative_path() && !fs::exists(at, ignored);
       at = at.parent_path()) {
    made_.push_back(at);
  }
  make_directories(folder);
}

MadeFolders::~MadeFolders() {
  std::error_code ignored;
  for (const fs::path& folder : made_) {
    if (fs::is_directory(folder, ignored)) fs::remove(folder, ignored);
  }
}

}  // namespace strata
