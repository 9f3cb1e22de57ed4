#include "api/files/file_store.h"

#include <array>

#include "core/error.h"
#include "core/hash.h"
#include "core/os.h"
#include "core/random.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 1> kMigrations{
    "CREATE TABLE api_file (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " owner TEXT NOT NULL, name TEXT NOT NULL, purpose TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER);"
    "CREATE INDEX api_file_owner ON api_file (owner, position);"
    "CREATE INDEX api_file_content ON api_file (sha256)"};

constexpr std::string_view kColumns =
    "SELECT id, owner, name, purpose, sha256, bytes, created, expires FROM api_file ";
constexpr std::string_view kAlive = " (expires IS NULL OR expires > ?) ";

StoredFile read_row(const Statement& row) {
  StoredFile file{.id = row.text(0),
                  .owner = row.text(1),
                  .name = row.text(2),
                  .purpose = row.text(3),
                  .sha256 = row.text(4),
                  .size_bytes = row.integer(5),
                  .created = row.integer(6)};
  if (!row.is_null(7)) file.expires = row.integer(7);
  return file;
}

void check_name(const std::string& name) {
  bool clean = !name.empty() && name.size() <= kMaxFileNameBytes && is_valid_utf8(name);
  for (const char c : name) clean = clean && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (clean) return;
  throw Error(Code::invalid_argument,
              fmt::format("a file's name must have 1 to {} bytes and no control character",
                          kMaxFileNameBytes));
}

Error no_such_file(std::string_view id) {
  return {Code::not_found, fmt::format("there is no file {}", id.substr(0, 80))};
}

}  // namespace

FileStore::FileStore(const std::filesystem::path& database, std::filesystem::path folder,
                     const KeepLimits& limits)
    : folder_(std::move(folder)),
      owner_bytes_(limits.owner_bytes),
      database_(Database::open(database)) {
  database_.migrate("api_file", kMigrations);
  count_kept(database_, std::array{CountedTable{.name = "api_file", .bytes = "ROW.bytes"}});
}

std::filesystem::path FileStore::content_path(std::string_view sha256) const {
  return folder_ / fmt::format("sha256-{}", sha256);
}

void FileStore::check_count(const StoredFile& file) {
  auto sum = database_.prepare("SELECT COUNT(*) FROM api_file WHERE owner = ?");
  sum.bind(1, std::string_view(file.owner)).step();
  if (sum.integer(0) >= kMaxFilesOfOwner) {
    throw Error(Code::resource_exhausted,
                fmt::format("{} files are stored for this key, which is the limit", sum.integer(0)),
                "delete files that are not needed any more");
  }
}

// Before the content is written, which may take a while.
void FileStore::check_room(const StoredFile& file) {
  auto same = database_.prepare("SELECT bytes FROM api_file WHERE id = ?");
  const int64_t replaced = same.bind(1, std::string_view(file.id)).step() ? same.integer(0) : 0;
  KeptRoom(database_, file.owner, owner_bytes_).check(file.size_bytes - replaced);
}

StoredFile FileStore::add(StoredFile file, std::string_view content) {
  check_name(file.name);
  if (content.size() > kMaxFileBytes) {
    throw Error(Code::invalid_argument, fmt::format("the file has {} bytes, the limit is {}",
                                                    content.size(), kMaxFileBytes));
  }
  if (file.id.empty()) file.id = "file-" + random_hex(16);
  file.sha256 = sha256_hex(content);
  file.size_bytes = static_cast<int64_t>(content.size());
  const std::lock_guard lock(mutex_);
  remove_rows_expired(file.created);
  check_count(file);
  check_room(file);
  // First the content, so that no row is without one; a crash between the two leaves a content
  // that nobody names, which the next file of the same content takes over.
  make_directories(folder_, 0700);
  if (!std::filesystem::exists(content_path(file.sha256))) {
    write_file_atomic(content_path(file.sha256), content, 0600);
  }
  auto insert = database_.prepare(
      "INSERT INTO api_file (id, owner, name, purpose, sha256, bytes, created, expires)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (id) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes");
  insert.bind(1, std::string_view(file.id)).bind(2, std::string_view(file.owner));
  insert.bind(3, std::string_view(file.name)).bind(4, std::string_view(file.purpose));
  insert.bind(5, std::string_view(file.sha256)).bind(6, file.size_bytes).bind(7, file.created);
  if (file.expires) insert.bind(8, *file.expires);
  insert.run();
  return file;
}

std::optional<StoredFile> FileStore::find(std::string_view owner, std::string_view id,
                                          int64_t now_s) const {
  const std::lock_guard lock(mutex_);
  auto select =
      database_.prepare(fmt::format("{}WHERE owner = ? AND id = ? AND {}", kColumns, kAlive));
  select.bind(1, owner).bind(2, id).bind(3, now_s);
  if (!select.step()) return std::nullopt;
  return read_row(select);
}

StoredFile FileStore::get(std::string_view owner, std::string_view id, int64_t now_s) const {
  auto file = find(owner, id, now_s);
  if (!file) throw no_such_file(id);
  return std::move(*file);
}

std::string FileStore::read(const StoredFile& file) const {
  std::string content = read_file(content_path(file.sha256), kMaxFileBytes);
  if (sha256_hex(content) != file.sha256) {
    throw Error(Code::data_loss, fmt::format("the content of {} was changed on the disk", file.id));
  }
  return content;
}

bool FileStore::remove(std::string_view owner, std::string_view id) {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare(fmt::format("{}WHERE owner = ? AND id = ?", kColumns));
  if (!select.bind(1, owner).bind(2, id).step()) return false;
  const std::string sha256 = read_row(select).sha256;
  select.reset();  // what is still being read cannot be written once another connection has written
  database_.prepare("DELETE FROM api_file WHERE id = ?").bind(1, id).run();
  remove_content(sha256);
  return true;
}

void FileStore::remove_content(const std::string& sha256) {
  auto used = database_.prepare("SELECT 1 FROM api_file WHERE sha256 = ? LIMIT 1");
  if (!used.bind(1, std::string_view(sha256)).step()) remove_durably(content_path(sha256));
}

void FileStore::remove_expired(int64_t now_s) {
  const std::lock_guard lock(mutex_);
  remove_rows_expired(now_s);
}

void FileStore::remove_rows_expired(int64_t now_s) {
  std::vector<StoredFile> expired;
  auto select = database_.prepare(fmt::format("{}WHERE expires <= ?", kColumns));
  select.bind(1, now_s);
  while (select.step()) expired.push_back(read_row(select));
  for (const StoredFile& file : expired) {
    database_.prepare("DELETE FROM api_file WHERE id = ?").bind(1, std::string_view(file.id)).run();
    remove_content(file.sha256);
  }
}

std::vector<StoredFile> FileStore::list(const ListRequest& request, int64_t now_s) const {
  const std::lock_guard lock(mutex_);
  int64_t position = request.ascending ? 0 : INT64_MAX;
  if (!request.after.empty()) {
    auto after = database_.prepare("SELECT position FROM api_file WHERE owner = ? AND id = ?");
    after.bind(1, std::string_view(request.owner)).bind(2, std::string_view(request.after));
    if (!after.step()) throw no_such_file(request.after);
    position = after.integer(0);
  }
  auto select = database_.prepare(fmt::format(
      "{}WHERE owner = ? AND (? = '' OR purpose = ?) AND {} AND position {} ? ORDER BY position {} "
      "LIMIT ?",
      kColumns, kAlive, request.ascending ? ">" : "<", request.ascending ? "ASC" : "DESC"));
  select.bind(1, std::string_view(request.owner)).bind(2, std::string_view(request.purpose));
  select.bind(3, std::string_view(request.purpose)).bind(4, now_s).bind(5, position);
  select.bind(6, request.limit + 1);
  std::vector<StoredFile> files;
  while (select.step()) files.push_back(read_row(select));
  return files;
}

}  // namespace strata::api
