#include "api/conversation/share_store.h"

#include <array>

#include "api/conversation/thread_store.h"
#include "core/random.h"

namespace strata::api {
namespace {

// It ends with its conversation.
constexpr std::array<std::string_view, 1> kMigrations{
    "CREATE TABLE thread_share (token TEXT PRIMARY KEY, owner TEXT NOT NULL,"
    " thread TEXT NOT NULL UNIQUE REFERENCES thread (id) ON DELETE CASCADE,"
    " created INTEGER NOT NULL, content TEXT NOT NULL)"};

constexpr size_t kTokenBytes = 32;

std::optional<Share> read_share(Statement& select) {
  if (!select.step()) return std::nullopt;
  return Share{select.text(0), select.text(1), select.integer(2),
               parse_json(select.text(3)).as_object()};
}

}  // namespace

ShareStore::ShareStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("thread_share", kMigrations);
  count_kept(database_.connection,
             std::array{CountedTable{.name = "thread_share", .texts = {"content"}}});
}

Share ShareStore::put(const std::string& owner, const std::string& thread, json::object content,
                      int64_t now_ms) {
  const Share share{"share_" + random_hex(kTokenBytes), owner, now_ms, std::move(content)};
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  auto insert = database_.connection.prepare(
      "INSERT INTO thread_share (token, owner, thread, created, content)"
      " SELECT ?, owner, id, ?, ? FROM thread WHERE owner = ? AND id = ?"
      " ON CONFLICT (thread) DO UPDATE SET token = excluded.token, created = excluded.created,"
      " content = excluded.content");
  insert.bind(1, std::string_view(share.token)).bind(2, now_ms);
  insert.bind(3, std::string_view(to_json(share.content))).bind(4, std::string_view(owner));
  insert.bind(5, std::string_view(thread)).run();
  if (database_.connection.changes() == 0) throw thread_not_found(thread);
  room.check();
  transaction.commit();
  return share;
}

std::optional<Share> ShareStore::find_of(const std::string& owner, const std::string& thread) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT token, owner, created, content FROM thread_share WHERE owner = ? AND thread = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(thread));
  return read_share(select);
}

bool ShareStore::remove(const std::string& owner, const std::string& thread) {
  const std::lock_guard lock(database_.mutex);
  auto erase =
      database_.connection.prepare("DELETE FROM thread_share WHERE owner = ? AND thread = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(thread)).run();
  return database_.connection.changes() > 0;
}

std::optional<Share> ShareStore::find(const std::string& token) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT token, owner, created, content FROM thread_share WHERE token = ?");
  select.bind(1, std::string_view(token));
  return read_share(select);
}

}  // namespace strata::api
