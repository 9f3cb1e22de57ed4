// A folder that is written beside its place and comes there when it is whole.
#pragma once

#include <filesystem>
#include <optional>

#include "core/made_folders.h"
#include "core/os.h"

namespace strata::modify {

class NewFolder {
 public:
  // Holds a lock on the place as long as it lives. Error{already_exists}: something is there, and
  // is not to be replaced. Error{invalid_argument}: it is to be, but is no folder of a model, which
  // has a config.json and no folders but those that its modules.json names. Error{unavailable}:
  // another process writes it.
  explicit NewFolder(const std::filesystem::path& path, bool replace = false);
  // Beside the nearest folder that is there, since nothing of it is to stay; finish() is not for
  // it. The same errors of the place.
  static NewFolder to_show(const std::filesystem::path& path, bool replace);
  // What was not finished is removed, with the folders that were made for it.
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::filesystem::path& path() const { return temporary_; }  // to write into
  void clear() const;
  // On disk, and in its place; what it replaces is gone. After a crash at any point the place has
  // the old folder, the new one, or, between two renames, none, with the old one as NAME.old.
  void finish();

 private:
  struct Shown {};
  NewFolder(Shown, const std::filesystem::path& folder);
  void begin();
  std::filesystem::path lock_path() const { return temporary_.string() + ".lock"; }

  std::filesystem::path path_, temporary_;
  std::optional<MadeFolders> made_;
  std::optional<FileLock> lock_;
};

}  // namespace strata::modify
