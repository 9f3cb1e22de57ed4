// Files that clients bring or batches write: contents by their hash in a folder, rows in the
// database. Each belongs to the key that made it; nobody else sees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/kept.h"
#include "core/db.h"

namespace strata::api {

constexpr size_t kMaxFileBytes = size_t{1} << 30;  // read into memory whole
constexpr int64_t kMaxFilesOfOwner = 10'000;
constexpr size_t kMaxFileNameBytes = 255;

struct StoredFile {
  std::string id = {};  // "file-…"
  std::string owner = {};
  std::string name = {};
  std::string purpose = {};
  std::string sha256 = {};
  int64_t size_bytes = 0;
  int64_t created = 0;  // seconds since 1970, likewise the next
  std::optional<int64_t> expires = {};
};

// Any thread may call. Times are given, in seconds: a file that has expired is not there.
class FileStore {
 public:
  // The folder is made with the first file.
  FileStore(const std::filesystem::path& database, std::filesystem::path folder,
            const KeepLimits& limits = {});

  // sha256 and size are filled in, the id where there is none; a file with that id gets the new
  // content. The file is whole on the disk when this returns. Errors:
  // invalid_argument (name), resource_exhausted (a limit, with the numbers; the disk is full).
  StoredFile add(StoredFile file, std::string_view content);
  std::optional<StoredFile> find(std::string_view owner, std::string_view id, int64_t now_s) const;
  // Error{not_found}.
  StoredFile get(std::string_view owner, std::string_view id, int64_t now_s) const;
  // Error{data_loss}: the content is not what was stored.
  std::string read(const StoredFile& file) const;
  // False: it was not there. The content goes when no other file has it.
  bool remove(std::string_view owner, std::string_view id);
  // Nobody finds them any more; from here on they take no room.
  void remove_expired(int64_t now_s);

  struct ListRequest {
    std::string owner = {};
    std::string purpose = {};  // "": all
    std::string after = {};    // the file before the first one; Error{not_found} if there is none
    int64_t limit = 0;
    bool ascending = false;
  };
  // One more than the limit where there are more. By time of making.
  std::vector<StoredFile> list(const ListRequest& request, int64_t now_s) const;

 private:
  std::filesystem::path content_path(std::string_view sha256) const;
  void check_count(const StoredFile& file);
  void check_room(const StoredFile& file);
  void remove_rows_expired(int64_t now_s);
  void remove_content(const std::string& sha256);

  const std::filesystem::path folder_;
  const int64_t owner_bytes_;
  mutable std::mutex mutex_;
  mutable Database database_;
};

}  // namespace strata::api
