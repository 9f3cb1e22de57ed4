#include "api/conversation/conversation_store.h"

#include <array>

#include "core/error.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 1> kMigrations{
    "CREATE TABLE conversation (id TEXT PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL,"
    " metadata TEXT NOT NULL);"
    "CREATE INDEX conversation_of_owner ON conversation (owner, created);"
    "CREATE TABLE conversation_item (conversation TEXT NOT NULL REFERENCES conversation (id)"
    " ON DELETE CASCADE, owner TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL,"
    " data TEXT NOT NULL, PRIMARY KEY (conversation, position));"
    "CREATE INDEX conversation_item_by_id ON conversation_item (id)"};

constexpr std::string_view kOfConversation = "owner = ? AND conversation = ?";

std::optional<json::object> one_object(Statement& select) {
  if (!select.step()) return std::nullopt;
  return parse_json(select.text(0)).as_object();
}

}  // namespace

ConversationStore::ConversationStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("conversation", kMigrations);
  count_kept(database_.connection,
             std::array{CountedTable{.name = "conversation", .texts = {"metadata"}},
                        CountedTable{.name = "conversation_item", .texts = {"data"}}});
}

ConversationRow ConversationStore::create(const std::string& owner, json::object metadata,
                                          const json::array& items, int64_t now_s) {
  ConversationRow row{new_id("conv_"), now_s, std::move(metadata)};
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  auto insert = database_.connection.prepare(
      "INSERT INTO conversation (id, owner, created, metadata) VALUES (?, ?, ?, ?)");
  insert.bind(1, std::string_view(row.id)).bind(2, std::string_view(owner)).bind(3, now_s);
  insert.bind(4, std::string_view(to_json(row.metadata))).run();
  insert_items(owner, row.id, items);
  room.check();
  transaction.commit();
  return row;
}

std::optional<ConversationRow> ConversationStore::find(const std::string& owner,
                                                       const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT created, metadata FROM conversation WHERE owner = ? AND id = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  if (!select.step()) return std::nullopt;
  return ConversationRow{id, select.integer(0), parse_json(select.text(1)).as_object()};
}

bool ConversationStore::set_metadata(const std::string& owner, const std::string& id,
                                     const json::object& metadata) {
  const std::lock_guard lock(database_.mutex);
  auto update = database_.connection.prepare(
      "UPDATE conversation SET metadata = ? WHERE owner = ? AND id = ?");
  update.bind(1, std::string_view(to_json(metadata)));
  update.bind(2, std::string_view(owner)).bind(3, std::string_view(id)).run();
  return database_.connection.changes() > 0;
}

bool ConversationStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare("DELETE FROM conversation WHERE owner = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  return database_.connection.changes() > 0;
}

bool ConversationStore::append(const std::string& owner, const std::string& id,
                               const json::array& items) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto select =
      database_.connection.prepare("SELECT 1 FROM conversation WHERE owner = ? AND id = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  if (!select.step()) return false;
  select.reset();
  const KeptRoom room = database_.room_of(owner);
  insert_items(owner, id, items);
  room.check();
  transaction.commit();
  return true;
}

void ConversationStore::insert_items(const std::string& owner, const std::string& id,
                                     const json::array& items) {
  if (items.empty()) return;
  auto last = database_.connection.prepare(
      "SELECT COALESCE(MAX(position), 0), COUNT(*), COALESCE(SUM(LENGTH(CAST(data AS BLOB))), 0)"
      " FROM conversation_item WHERE owner = ? AND conversation = ?");
  last.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).step();
  int64_t position = last.integer(0), n = last.integer(1), bytes = last.integer(2);
  last.reset();
  auto insert = database_.connection.prepare(
      "INSERT INTO conversation_item (conversation, owner, position, id, data)"
      " VALUES (?, ?, ?, ?, ?)");
  for (const json::value& item : items) {
    const std::string data = to_json(item);
    bytes += static_cast<int64_t>(data.size());
    if (++n > kMaxConversationItems || bytes > kMaxConversationBytes) {
      throw Error(Code::resource_exhausted,
                  fmt::format("the conversation would have {} items of {} bytes, the limits are {}"
                              " and {}",
                              n, bytes, kMaxConversationItems, kMaxConversationBytes),
                  "begin a new conversation");
    }
    insert.bind(1, std::string_view(id)).bind(2, std::string_view(owner)).bind(3, ++position);
    insert.bind(4, std::string_view(item.at("id").as_string())).bind(5, std::string_view(data));
    insert.run();
  }
}

json::array ConversationStore::items(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT data FROM conversation_item WHERE owner = ? AND conversation = ? ORDER BY position");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  json::array all;
  while (select.step()) all.push_back(parse_json(select.text(0)));
  return all;
}

Page ConversationStore::item_page(const std::string& owner, const std::string& id,
                                  const PageRequest& request) {
  const std::lock_guard lock(database_.mutex);
  return read_page(database_.connection, "conversation_item", kOfConversation,
                   std::array{owner, id}, request);
}

std::optional<json::object> ConversationStore::item(const std::string& owner, const std::string& id,
                                                    const std::string& item_id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT data FROM conversation_item WHERE owner = ? AND conversation = ? AND id = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  select.bind(3, std::string_view(item_id));
  return one_object(select);
}

bool ConversationStore::remove_item(const std::string& owner, const std::string& id,
                                    const std::string& item_id) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare(
      "DELETE FROM conversation_item WHERE owner = ? AND conversation = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  erase.bind(3, std::string_view(item_id)).run();
  return database_.connection.changes() > 0;
}

std::optional<json::object> ConversationStore::any_item(const std::string& owner,
                                                        const std::string& item_id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT data FROM conversation_item WHERE id = ? AND owner = ? LIMIT 1");
  select.bind(1, std::string_view(item_id)).bind(2, std::string_view(owner));
  return one_object(select);
}

}  // namespace strata::api
