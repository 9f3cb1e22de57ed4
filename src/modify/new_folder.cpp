#include "modify/new_folder.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "modify/module_folders.h"

namespace strata::modify {
namespace {

namespace fs = std::filesystem;

// Of a folder whose modules.json can't be read: none.
std::vector<std::string> known_folders(const fs::path& folder) {
  try {
    return module_folders(folder);
  } catch (const Error&) {
    return {};
  }
}

// What is no file of a model's folder; empty: nothing.
std::string stranger_in(const fs::path& folder) {
  if (!fs::is_directory(fs::symlink_status(folder))) return "is no folder";
  if (!fs::is_regular_file(folder / "config.json")) return "has no config.json";
  const auto known = known_folders(folder);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (!entry.is_directory() || std::ranges::find(known, name) != known.end()) continue;
    return fmt::format("has a folder '{}'", name);
  }
  return {};
}

fs::path whole(const fs::path& path) {
  const fs::path all = fs::absolute(path).lexically_normal();
  return all.has_filename() ? all : all.parent_path();
}

fs::path beside(const fs::path& path) {
  return path.parent_path() / (std::string(kTemporaryPrefix) + path.filename().string());
}

fs::path old_of(const fs::path& path) {
  return path.string() + ".old";
}

void check_place(const fs::path& path, bool replace) {
  if (!fs::exists(fs::symlink_status(path))) {
    // What a crash between the two renames of finish() leaves.
    if (!fs::exists(fs::symlink_status(old_of(path)))) return;
    throw Error(Code::already_exists,
                fmt::format("{} is not there, but {}, as replacing it leaves it when it is "
                            "interrupted",
                            path.string(), old_of(path).string()),
                fmt::format("mv {0} {1} brings it back; or remove it", old_of(path).string(),
                            path.string()));
  }
  if (!replace) {
    throw Error(Code::already_exists, fmt::format("{} is there already", path.string()),
                "--force replaces it, another name keeps it");
  }
  const std::string why = stranger_in(path);
  if (!why.empty()) {
    throw Error(Code::invalid_argument,
                fmt::format("{} {}: it is not replaced", path.string(), why),
                "name another folder, or remove this one yourself");
  }
  if (fs::exists(fs::symlink_status(old_of(path)))) {
    throw Error(Code::already_exists,
                fmt::format("{}, where the old folder would be kept meanwhile, is there already",
                            old_of(path).string()),
                "look what it holds and remove it");
  }
}

}  // namespace

NewFolder::NewFolder(const fs::path& path, bool replace)
    : path_(whole(path)), temporary_(beside(path_)) {
  check_place(path_, replace);
  made_.emplace(path_.parent_path());
  begin();
}

NewFolder::NewFolder(Shown, const fs::path& folder)
    : path_(folder / "shown"), temporary_(beside(path_)) {
  begin();
}

NewFolder NewFolder::to_show(const fs::path& path, bool replace) {
  const fs::path place = whole(path);
  check_place(place, replace);
  fs::path folder = place.parent_path();
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return NewFolder(Shown(), folder);
}

void NewFolder::begin() {
  lock_ = FileLock::attempt(lock_path(), FileLock::Kind::exclusive);
  if (!lock_) {
    throw Error(Code::unavailable, fmt::format("{} is being written now", path_.string()),
                "wait for the other process, or name another folder");
  }
  clear();  // what a crash left
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  fs::remove(lock_path(), ignored);
}

void NewFolder::clear() const {
  fs::remove_all(temporary_);
  make_directories(temporary_);
}

void NewFolder::finish() {
  for (const auto& entry : fs::directory_iterator(temporary_)) {
    if (entry.is_directory()) sync_directory(entry.path());
  }
  sync_directory(temporary_);
  const bool replaces = fs::exists(fs::symlink_status(path_));
  if (replaces) rename_durably(path_, old_of(path_));
  rename_durably(temporary_, path_);
  if (replaces) fs::remove_all(old_of(path_));
}

}  // namespace strata::modify
