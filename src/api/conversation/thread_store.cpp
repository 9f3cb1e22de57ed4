#include "api/conversation/thread_store.h"

#include <algorithm>
#include <array>
#include <map>

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 1> kMigrations{
    "CREATE TABLE thread (id TEXT PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, title TEXT NOT NULL DEFAULT '', titled INTEGER NOT NULL DEFAULT 0,"
    " folder TEXT NOT NULL DEFAULT '', pinned INTEGER NOT NULL DEFAULT 0,"
    " archived INTEGER NOT NULL DEFAULT 0, draft TEXT NOT NULL DEFAULT '',"
    " leaf TEXT NOT NULL DEFAULT '', settings TEXT NOT NULL DEFAULT '{}');"
    "CREATE INDEX thread_of_owner ON thread (owner, archived, pinned, updated);"
    "CREATE TABLE thread_message (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " thread TEXT NOT NULL REFERENCES thread (id) ON DELETE CASCADE, owner TEXT NOT NULL,"
    " parent TEXT NOT NULL, role TEXT NOT NULL, status TEXT NOT NULL, text TEXT NOT NULL,"
    " reasoning TEXT NOT NULL, data TEXT NOT NULL, created INTEGER NOT NULL);"
    "CREATE INDEX message_of_thread ON thread_message (thread, n);"
    "CREATE INDEX message_at_work ON thread_message (status) WHERE status = 'working';"
    "CREATE VIRTUAL TABLE thread_text USING fts5 (text)"};  // rowid: the message's n

constexpr std::string_view kThreadColumns =
    "id, created, updated, title, folder, pinned, archived, draft, leaf, settings";
constexpr std::string_view kMessageColumns =
    "id, parent, role, status, text, reasoning, data, created";

json::object read_thread(const Statement& row) {
  return {{"id", row.text(0)},
          {"created", row.integer(1)},
          {"updated", row.integer(2)},
          {"title", row.text(3)},
          {"folder", row.text(4)},
          {"pinned", row.integer(5) != 0},
          {"archived", row.integer(6) != 0},
          {"draft", row.text(7)},
          {"leaf", row.text(8)},
          {"settings", parse_json(row.text(9))}};
}

ThreadMessage read_message(const Statement& row) {
  return {.id = row.text(0),
          .parent = row.text(1),
          .role = row.text(2),
          .status = row.text(3),
          .text = row.text(4),
          .reasoning = row.text(5),
          .data = parse_json(row.text(6)).as_object(),
          .created = row.integer(7)};
}

// Words as FTS5's phrases, each of which may go on: nothing that a person types is an operator.
std::string match_expression(std::string_view words) {
  std::string out;
  size_t n = 0;
  while (!words.empty() && n < kMaxSearchWords) {
    const size_t end = std::min(words.find(' '), words.size());
    std::string word;
    for (const char c : words.substr(0, end)) {
      if (c == '"') word += '"';
      word += c;
    }
    words.remove_prefix(std::min(end + 1, words.size()));
    if (word.empty()) continue;
    out += fmt::format("{}\"{}\"*", n++ == 0 ? "" : " ", word);
  }
  return out;
}

// For LIKE … ESCAPE '\'.
std::string like_expression(std::string_view text) {
  std::string out = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out + "%";
}

}  // namespace

Error thread_not_found(std::string_view id) {
  return Error(Code::not_found, fmt::format("there is no conversation '{}'", id.substr(0, 80)));
}

json::object to_json_object(const ThreadMessage& message) {
  return {{"id", message.id},         {"parent", message.parent},  {"role", message.role},
          {"status", message.status}, {"text", message.text},      {"reasoning", message.reasoning},
          {"data", message.data},     {"created", message.created}};
}

ThreadStore::ThreadStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("thread", kMigrations);
  count_kept(
      database_.connection,
      std::array{CountedTable{.name = "thread", .texts = {"title", "folder", "draft", "settings"}},
                 CountedTable{.name = "thread_message", .texts = {"text", "reasoning", "data"}}});
}

json::object ThreadStore::create(const std::string& owner, const ThreadChange& change,
                                 int64_t now_ms) {
  const std::string id = new_id("thread_");
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  auto insert = database_.connection.prepare(
      "INSERT INTO thread (id, owner, created, updated) VALUES (?, ?, ?, ?)");
  insert.bind(1, std::string_view(id)).bind(2, std::string_view(owner));
  insert.bind(3, now_ms).bind(4, now_ms).run();
  change_locked(owner, id, change, now_ms);
  room.check();
  transaction.commit();
  return *find_locked(owner, id);
}

json::array ThreadStore::list(const std::string& owner, const ThreadFilter& filter) {
  const std::string match = match_expression(filter.words);
  const std::lock_guard lock(database_.mutex);
  std::string sql =
      fmt::format("SELECT {} FROM thread WHERE owner = ? AND archived = ?", kThreadColumns);
  if (!match.empty()) {
    sql +=
        " AND (title LIKE ? ESCAPE '\\' OR id IN (SELECT thread FROM thread_message WHERE owner = ?"
        " AND n IN (SELECT rowid FROM thread_text WHERE thread_text MATCH ?)))";
  }
  sql += " ORDER BY pinned DESC, updated DESC, id LIMIT ?";
  auto select = database_.connection.prepare(sql);
  int next = 1;
  select.bind(next++, std::string_view(owner));
  select.bind(next++, static_cast<int64_t>(filter.archived));
  if (!match.empty()) {
    select.bind(next++, std::string_view(like_expression(filter.words)));
    select.bind(next++, std::string_view(owner));
    select.bind(next++, std::string_view(match));
  }
  select.bind(next, filter.limit);
  json::array out;
  while (select.step()) out.push_back(read_thread(select));
  return out;
}

std::optional<json::object> ThreadStore::find(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  return find_locked(owner, id);
}

std::optional<json::object> ThreadStore::find_locked(const std::string& owner,
                                                     const std::string& id) {
  auto select = database_.connection.prepare(
      fmt::format("SELECT {} FROM thread WHERE owner = ? AND id = ?", kThreadColumns));
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  if (!select.step()) return std::nullopt;
  return read_thread(select);
}

std::optional<json::object> ThreadStore::change(const std::string& owner, const std::string& id,
                                                const ThreadChange& change, int64_t now_ms) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  change_locked(owner, id, change, now_ms);
  room.check();
  auto found = find_locked(owner, id);
  transaction.commit();
  return found;
}

void ThreadStore::change_locked(const std::string& owner, const std::string& id,
                                const ThreadChange& change, int64_t now_ms) {
  const auto set = [&](std::string_view assignment, auto value, std::string_view also = "") {
    auto update = database_.connection.prepare(
        fmt::format("UPDATE thread SET {} WHERE owner = ? AND id = ?{}", assignment, also));
    update.bind(1, value).bind(2, std::string_view(owner)).bind(3, std::string_view(id)).run();
  };
  if (change.title && change.automatic_title) {
    set("title = ?", std::string_view(*change.title), " AND titled = 0");
  } else if (change.title) {
    set("titled = 1, title = ?", std::string_view(*change.title));
  }
  if (change.folder) set("folder = ?", std::string_view(*change.folder));
  if (change.draft) set("draft = ?", std::string_view(*change.draft));
  if (change.leaf) set("leaf = ?", std::string_view(*change.leaf));
  if (change.pinned) set("pinned = ?", static_cast<int64_t>(*change.pinned));
  if (change.archived) set("archived = ?", static_cast<int64_t>(*change.archived));
  if (change.settings) set("settings = ?", std::string_view(to_json(*change.settings)));
  if (change.leaf || change.title) set("updated = ?", now_ms);
}

bool ThreadStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto texts = database_.connection.prepare(
      "DELETE FROM thread_text WHERE rowid IN"
      " (SELECT n FROM thread_message WHERE owner = ? AND thread = ?)");
  texts.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  auto erase = database_.connection.prepare("DELETE FROM thread WHERE owner = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  const bool was_there = database_.connection.changes() > 0;
  transaction.commit();
  return was_there;
}

std::vector<ThreadMessage> ThreadStore::messages(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(fmt::format(
      "SELECT {} FROM thread_message WHERE owner = ? AND thread = ? ORDER BY n", kMessageColumns));
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  std::vector<ThreadMessage> out;
  while (select.step()) out.push_back(read_message(select));
  return out;
}

std::vector<ThreadMessage> ThreadStore::path(const std::string& owner, const std::string& id,
                                             const std::string& message) {
  std::map<std::string, ThreadMessage> by_id;
  for (ThreadMessage& each : messages(owner, id)) by_id.emplace(each.id, std::move(each));
  std::vector<ThreadMessage> out;
  std::string next = message;
  while (!next.empty()) {
    const auto at = by_id.find(next);
    if (at == by_id.end()) {
      throw Error(Code::not_found,
                  fmt::format("the conversation has no message '{}'", next.substr(0, 80)));
    }
    next = at->second.parent;
    out.push_back(std::move(at->second));
    by_id.erase(at);
  }
  std::ranges::reverse(out);
  return out;
}

void ThreadStore::check_room(const std::string& owner, const std::string& id,
                             std::span<const PlacedMessage> added) {
  if (!find_locked(owner, id)) throw thread_not_found(id);
  auto sums = database_.connection.prepare(
      "SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(text AS BLOB)) + LENGTH(CAST(reasoning AS BLOB))"
      " + LENGTH(CAST(data AS BLOB))), 0) FROM thread_message WHERE owner = ? AND thread = ?");
  sums.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).step();
  const int64_t n = sums.integer(0) + static_cast<int64_t>(added.size());
  int64_t bytes = sums.integer(1);
  for (const auto& [message, parent] : added) {
    bytes += static_cast<int64_t>(message.text.size() + message.reasoning.size() +
                                  to_json(message.data).size());
  }
  if (n > kMaxThreadMessages || bytes > kMaxThreadBytes) {
    throw Error(Code::resource_exhausted,
                fmt::format("the conversation would have {} messages of {} bytes, the limits are {}"
                            " and {}",
                            n, bytes, kMaxThreadMessages, kMaxThreadBytes),
                "begin a new conversation");
  }
}

void ThreadStore::insert_locked(const std::string& owner, const std::string& id,
                                const ThreadMessage& message) {
  auto insert = database_.connection.prepare(
      "INSERT INTO thread_message (id, thread, owner, parent, role, status, text, reasoning, data,"
      " created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, std::string_view(message.id)).bind(2, std::string_view(id));
  insert.bind(3, std::string_view(owner)).bind(4, std::string_view(message.parent));
  insert.bind(5, std::string_view(message.role)).bind(6, std::string_view(message.status));
  insert.bind(7, std::string_view(message.text)).bind(8, std::string_view(message.reasoning));
  insert.bind(9, std::string_view(to_json(message.data))).bind(10, message.created).run();
  auto index = database_.connection.prepare("INSERT INTO thread_text (rowid, text) VALUES (?, ?)");
  index.bind(1, database_.connection.last_insert_id()).bind(2, std::string_view(message.text));
  index.run();
}

ThreadMessage ThreadStore::add(const std::string& owner, const std::string& id,
                               ThreadMessage message, int64_t now_ms) {
  message.id = new_id("tmsg_");
  message.created = now_ms;
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  const PlacedMessage placed{message};
  check_room(owner, id, std::span(&placed, 1));
  if (!message.parent.empty()) {
    auto parent = database_.connection.prepare(
        "SELECT 1 FROM thread_message WHERE owner = ? AND thread = ? AND id = ?");
    parent.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
    if (!parent.bind(3, std::string_view(message.parent)).step()) {
      throw Error(Code::not_found, fmt::format("the conversation has no message '{}'",
                                               message.parent.substr(0, 80)));
    }
  }
  insert_locked(owner, id, message);
  change_locked(owner, id, {.leaf = message.id}, now_ms);
  room.check();
  transaction.commit();
  return message;
}

void ThreadStore::add_all(const std::string& owner, const std::string& id,
                          std::vector<PlacedMessage> messages, int64_t now_ms) {
  if (messages.empty()) return;
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  check_room(owner, id, messages);
  for (auto& [message, parent] : messages) {
    message.id = new_id("tmsg_");
    message.created = now_ms;
    if (parent >= 0) message.parent = messages.at(static_cast<size_t>(parent)).message.id;
    insert_locked(owner, id, message);
  }
  change_locked(owner, id, {.leaf = messages.back().message.id}, now_ms);
  room.check();
  transaction.commit();
}

bool ThreadStore::update(const std::string& owner, const std::string& id,
                         const ThreadMessage& message, int64_t now_ms) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto update = database_.connection.prepare(
      "UPDATE thread_message SET status = ?, text = ?, reasoning = ?, data = ?"
      " WHERE owner = ? AND thread = ? AND id = ?");
  update.bind(1, std::string_view(message.status)).bind(2, std::string_view(message.text));
  update.bind(3, std::string_view(message.reasoning));
  update.bind(4, std::string_view(to_json(message.data))).bind(5, std::string_view(owner));
  update.bind(6, std::string_view(id)).bind(7, std::string_view(message.id)).run();
  if (database_.connection.changes() == 0) return false;
  if (message.status != kMessageWorking) {  // what grows is found once it has ended
    auto index = database_.connection.prepare(
        "UPDATE thread_text SET text = ? WHERE rowid ="
        " (SELECT n FROM thread_message WHERE id = ?)");
    index.bind(1, std::string_view(message.text)).bind(2, std::string_view(message.id)).run();
    auto changed =
        database_.connection.prepare("UPDATE thread SET updated = ? WHERE owner = ? AND id = ?");
    changed.bind(1, now_ms).bind(2, std::string_view(owner)).bind(3, std::string_view(id)).run();
  }
  transaction.commit();
  return true;
}

int64_t ThreadStore::close_unfinished() {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  database_.connection.execute(
      "UPDATE thread_text SET text = (SELECT text FROM thread_message WHERE n = thread_text.rowid)"
      " WHERE rowid IN (SELECT n FROM thread_message WHERE status = 'working')");
  database_.connection.execute("UPDATE thread_message SET status = 'cut' WHERE status = 'working'");
  const int64_t n = database_.connection.changes();
  transaction.commit();
  return n;
}

}  // namespace strata::api
