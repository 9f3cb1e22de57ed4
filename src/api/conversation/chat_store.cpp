#include "api/conversation/chat_store.h"

#include <array>
#include <vector>

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 2> kMigrations{
    "CREATE TABLE stored_chat (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " owner TEXT NOT NULL, model TEXT NOT NULL, created INTEGER NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX stored_chat_of_owner ON stored_chat (owner, position);"
    "CREATE TABLE stored_chat_pair (chat TEXT NOT NULL REFERENCES stored_chat (id)"
    " ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (chat, key));"
    "CREATE TABLE stored_chat_message (chat TEXT NOT NULL REFERENCES stored_chat (id)"
    " ON DELETE CASCADE, owner TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL,"
    " data TEXT NOT NULL, PRIMARY KEY (chat, position))",
    "CREATE INDEX stored_chat_by_time ON stored_chat (created)"};

void write_pairs(Database& database, const std::string& id, const json::object& metadata) {
  database.prepare("DELETE FROM stored_chat_pair WHERE chat = ?")
      .bind(1, std::string_view(id))
      .run();
  auto insert =
      database.prepare("INSERT INTO stored_chat_pair (chat, key, value) VALUES (?, ?, ?)");
  for (const auto& [key, value] : metadata) {
    insert.bind(1, std::string_view(id)).bind(2, std::string_view(key));
    insert.bind(3, std::string_view(value.as_string())).run();
  }
}

std::optional<json::object> read_chat(Database& database, const std::string& owner,
                                      const std::string& id) {
  auto select = database.prepare("SELECT data FROM stored_chat WHERE owner = ? AND id = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  if (!select.step()) return std::nullopt;
  return parse_json(select.text(0)).as_object();
}

}  // namespace

ChatStore::ChatStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("stored_chat", kMigrations);
  count_kept(database_.connection,
             std::array{CountedTable{.name = "stored_chat", .texts = {"data"}},
                        CountedTable{.name = "stored_chat_message", .texts = {"data"}}});
}

void ChatStore::put(const std::string& owner, const StoredChat& chat) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  auto insert = database_.connection.prepare(
      "INSERT INTO stored_chat (id, owner, model, created, data) VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, std::string_view(chat.id)).bind(2, std::string_view(owner));
  insert.bind(3, std::string_view(chat.model)).bind(4, chat.created);
  insert.bind(5, std::string_view(to_json(chat.completion))).run();
  if (const auto* metadata = chat.completion.if_contains("metadata");
      metadata && metadata->is_object()) {
    write_pairs(database_.connection, chat.id, metadata->get_object());
  }
  auto message = database_.connection.prepare(
      "INSERT INTO stored_chat_message (chat, owner, position, id, data) VALUES (?, ?, ?, ?, ?)");
  int64_t position = 0;
  for (const json::value& each : chat.messages) {
    message.bind(1, std::string_view(chat.id)).bind(2, std::string_view(owner));
    message.bind(3, position++).bind(4, std::string_view(each.at("id").as_string()));
    message.bind(5, std::string_view(to_json(each))).run();
  }
  room.check();
  transaction.commit();
}

std::optional<json::object> ChatStore::find(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  return read_chat(database_.connection, owner, id);
}

Page ChatStore::page(const std::string& owner, const ChatFilter& filter,
                     const PageRequest& request) {
  std::string where = "owner = ?";
  std::vector<std::string> values{owner};
  if (!filter.model.empty()) {
    where += " AND model = ?";
    values.push_back(filter.model);
  }
  for (const auto& [key, value] : filter.metadata) {
    where +=
        " AND EXISTS (SELECT 1 FROM stored_chat_pair p WHERE p.chat = stored_chat.id"
        " AND p.key = ? AND p.value = ?)";
    values.emplace_back(key);
    values.emplace_back(value.as_string());
  }
  const std::lock_guard lock(database_.mutex);
  return read_page(database_.connection, "stored_chat", where, values, request);
}

std::optional<Page> ChatStore::message_page(const std::string& owner, const std::string& id,
                                            const PageRequest& request) {
  const std::lock_guard lock(database_.mutex);
  if (!read_chat(database_.connection, owner, id)) return std::nullopt;
  return read_page(database_.connection, "stored_chat_message", "owner = ? AND chat = ?",
                   std::array{owner, id}, request);
}

std::optional<json::object> ChatStore::set_metadata(const std::string& owner, const std::string& id,
                                                    const json::object& metadata) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto completion = read_chat(database_.connection, owner, id);
  if (!completion) return std::nullopt;
  (*completion)["metadata"] = metadata;
  auto update =
      database_.connection.prepare("UPDATE stored_chat SET data = ? WHERE owner = ? AND id = ?");
  update.bind(1, std::string_view(to_json(*completion)));
  update.bind(2, std::string_view(owner)).bind(3, std::string_view(id)).run();
  write_pairs(database_.connection, id, metadata);
  transaction.commit();
  return completion;
}

int64_t ChatStore::remove_before(int64_t time_s, int64_t at_most) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare(
      "DELETE FROM stored_chat WHERE id IN (SELECT id FROM stored_chat WHERE created < ?"
      " ORDER BY created LIMIT ?)");
  erase.bind(1, time_s).bind(2, at_most).run();
  return database_.connection.changes();
}

bool ChatStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare("DELETE FROM stored_chat WHERE owner = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  return database_.connection.changes() > 0;
}

}  // namespace strata::api
