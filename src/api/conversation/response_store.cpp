#include "api/conversation/response_store.h"

#include <algorithm>
#include <array>

#include "api/not_yet.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 2> kMigrations{
    "CREATE TABLE response (id TEXT PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL,"
    " status TEXT NOT NULL, previous TEXT NOT NULL, in_conversation INTEGER NOT NULL,"
    " background INTEGER NOT NULL, streamed INTEGER NOT NULL, data TEXT NOT NULL,"
    " request TEXT NOT NULL);"
    "CREATE INDEX response_of_owner ON response (owner, created);"
    "CREATE INDEX response_by_status ON response (status);"
    "CREATE TABLE response_item (response TEXT NOT NULL REFERENCES response (id)"
    " ON DELETE CASCADE, owner TEXT NOT NULL, is_output INTEGER NOT NULL,"
    " position INTEGER NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL,"
    " PRIMARY KEY (response, is_output, position));"
    "CREATE INDEX response_item_by_id ON response_item (id);"
    "CREATE TABLE response_event (response TEXT NOT NULL REFERENCES response (id)"
    " ON DELETE CASCADE, sequence INTEGER NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (response, sequence))",
    "CREATE INDEX response_by_time ON response (created)"};

// When a response goes its events do, but their triggers cannot ask it any more whose they were.
constexpr std::string_view kEventsGo =
    "CREATE TRIGGER kept_response_events BEFORE DELETE ON response BEGIN"
    " UPDATE kept SET bytes = bytes - (SELECT COALESCE(SUM(LENGTH(CAST(text AS BLOB))), 0)"
    " FROM response_event WHERE response = OLD.id)"
    " WHERE owner = OLD.owner AND kind = 'response_event'; END";

void count_responses(Database& database) {
  count_kept(
      database,
      std::array{CountedTable{.name = "response", .texts = {"data", "request"}},
                 CountedTable{.name = "response_item", .texts = {"data"}},
                 CountedTable{.name = "response_event",
                              .texts = {"text"},
                              .owner = "(SELECT owner FROM response WHERE id = ROW.response)"}},
      kEventsGo);
}

json::array read_items(Database& database, const std::string& owner, const std::string& id,
                       bool output) {
  auto select = database.prepare(
      "SELECT data FROM response_item WHERE owner = ? AND response = ? AND is_output = ?"
      " ORDER BY position");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  select.bind(3, static_cast<int64_t>(output));
  json::array items;
  while (select.step()) items.push_back(parse_json(select.text(0)));
  return items;
}

void write_items(Database& database, const std::string& owner, const std::string& id, bool output,
                 int64_t position, const json::array& items) {
  auto insert = database.prepare(
      "INSERT INTO response_item (response, owner, is_output, position, id, data)"
      " VALUES (?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (response, is_output, position) DO UPDATE SET data = excluded.data");
  for (const json::value& item : items) {
    insert.bind(1, std::string_view(id)).bind(2, std::string_view(owner));
    insert.bind(3, static_cast<int64_t>(output)).bind(4, position++);
    insert.bind(5, std::string_view(item.at("id").as_string()));
    insert.bind(6, std::string_view(to_json(item))).run();
  }
}

void check_link(const ResponseRow& row) {
  if (row.status == kQueued || row.status == kInProgress) {
    throw NotYet(fmt::format("the response '{}' is still {}", row.id, row.status),
                 "wait until it has ended, or cancel it");
  }
  if (row.in_conversation) {
    throw Error(Code::failed_precondition,
                fmt::format("the response '{}' belongs to a conversation", row.id),
                "go on with 'conversation' instead of 'previous_response_id'");
  }
}

}  // namespace

Error response_not_found(std::string_view id) {
  return {Code::not_found,
          fmt::format("there is no response {}", json_quote(id.substr(0, 80), true)),
          "responses made with store: false are not kept, others for server.keep_days"};
}

ResponseStore::ResponseStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("response", kMigrations);
  count_responses(database_.connection);
}

void ResponseStore::create(const std::string& owner, const ResponseRow& row,
                           const json::array& input, const std::string& request) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  const KeptRoom room = database_.room_of(owner);
  auto insert = database_.connection.prepare(
      "INSERT INTO response (id, owner, created, status, previous, in_conversation, background,"
      " streamed, data, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, std::string_view(row.id)).bind(2, std::string_view(owner)).bind(3, row.created);
  insert.bind(4, std::string_view(row.status)).bind(5, std::string_view(row.previous));
  insert.bind(6, static_cast<int64_t>(row.in_conversation));
  insert.bind(7, static_cast<int64_t>(row.background));
  insert.bind(8, static_cast<int64_t>(row.streamed));
  insert.bind(9, std::string_view(to_json(row.data))).bind(10, std::string_view(request)).run();
  write_items(database_.connection, owner, row.id, false, 0, input);
  room.check();
  transaction.commit();
}

void ResponseStore::write_step(const std::string& owner, const std::string& id,
                               const ResponseStep& step) {
  write_items(database_.connection, owner, id, true, step.first_item, step.items);
  auto insert = database_.connection.prepare(
      "INSERT INTO response_event (response, sequence, text) VALUES (?, ?, ?)");
  for (const ResponseEvent& event : step.events) {
    insert.bind(1, std::string_view(id)).bind(2, event.sequence);
    insert.bind(3, std::string_view(event.text)).run();
  }
}

bool ResponseStore::add(const std::string& owner, const std::string& id, const ResponseStep& step) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto update =
      database_.connection.prepare("UPDATE response SET status = ? WHERE owner = ? AND id = ?");
  update.bind(1, kInProgress).bind(2, std::string_view(owner)).bind(3, std::string_view(id)).run();
  if (database_.connection.changes() == 0) return false;
  write_step(owner, id, step);
  transaction.commit();
  return true;
}

bool ResponseStore::finish(const std::string& owner, const std::string& id,
                           const std::string& status, const json::object& data,
                           const ResponseStep& step) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto update = database_.connection.prepare(
      "UPDATE response SET status = ?, data = ? WHERE owner = ? AND id = ?");
  update.bind(1, std::string_view(status)).bind(2, std::string_view(to_json(data)));
  update.bind(3, std::string_view(owner)).bind(4, std::string_view(id)).run();
  if (database_.connection.changes() == 0) return false;
  write_step(owner, id, step);
  transaction.commit();
  return true;
}

bool ResponseStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare("DELETE FROM response WHERE owner = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  return database_.connection.changes() > 0;
}

std::optional<ResponseRow> ResponseStore::find(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  return find_locked(owner, id);
}

std::optional<ResponseRow> ResponseStore::find_locked(const std::string& owner,
                                                      const std::string& id) {
  auto select = database_.connection.prepare(
      "SELECT created, status, previous, in_conversation, background, streamed, data"
      " FROM response WHERE owner = ? AND id = ?");
  select.bind(1, std::string_view(owner)).bind(2, std::string_view(id));
  if (!select.step()) return std::nullopt;
  return ResponseRow{.id = id,
                     .created = select.integer(0),
                     .status = select.text(1),
                     .previous = select.text(2),
                     .in_conversation = select.integer(3) != 0,
                     .background = select.integer(4) != 0,
                     .streamed = select.integer(5) != 0,
                     .data = parse_json(select.text(6)).as_object()};
}

json::array ResponseStore::output(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  return read_items(database_.connection, owner, id, true);
}

Page ResponseStore::input_page(const std::string& owner, const std::string& id,
                               const PageRequest& request) {
  const std::lock_guard lock(database_.mutex);
  return read_page(database_.connection, "response_item",
                   "is_output = 0 AND owner = ? AND response = ?", std::array{owner, id}, request);
}

std::vector<ResponseEvent> ResponseStore::events(const std::string& owner, const std::string& id,
                                                 int64_t after) {
  const std::lock_guard lock(database_.mutex);
  std::vector<ResponseEvent> events;
  if (!find_locked(owner, id)) return events;
  auto select = database_.connection.prepare(
      "SELECT sequence, text FROM response_event WHERE response = ? AND sequence > ?"
      " ORDER BY sequence");
  select.bind(1, std::string_view(id)).bind(2, after);
  while (select.step()) events.push_back({select.integer(0), select.text(1)});
  return events;
}

json::array ResponseStore::chain(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  std::vector<std::string> links;
  int64_t bytes = 0;
  auto size = database_.connection.prepare(
      "SELECT COALESCE(SUM(LENGTH(CAST(data AS BLOB))), 0) FROM response_item"
      " WHERE owner = ? AND response = ?");
  for (std::string link = id; !link.empty();) {
    const auto row = find_locked(owner, link);
    if (!row) throw response_not_found(link);
    check_link(*row);
    size.bind(1, std::string_view(owner)).bind(2, std::string_view(link)).step();
    bytes += size.integer(0);
    size.reset();
    links.push_back(link);
    if (links.size() > kMaxChain || bytes > kMaxChainBytes) {
      throw Error(Code::resource_exhausted,
                  fmt::format("what '{}' goes on from is over {} responses or {} bytes", id,
                              kMaxChain, kMaxChainBytes),
                  "begin anew with what matters: /v1/responses/compact makes it short");
    }
    link = row->previous;
  }
  json::array items;
  std::ranges::reverse(links);
  for (const std::string& link : links) {
    for (const bool output : {false, true}) {
      for (json::value& item : read_items(database_.connection, owner, link, output)) {
        items.push_back(std::move(item));
      }
    }
  }
  return items;
}

std::optional<json::object> ResponseStore::any_item(const std::string& owner,
                                                    const std::string& item_id) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT data FROM response_item WHERE id = ? AND owner = ? LIMIT 1");
  select.bind(1, std::string_view(item_id)).bind(2, std::string_view(owner));
  if (!select.step()) return std::nullopt;
  return parse_json(select.text(0)).as_object();
}

int64_t ResponseStore::remove_before(int64_t time_s, int64_t at_most) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare(
      "DELETE FROM response WHERE id IN (SELECT id FROM response WHERE created < ?"
      " AND status NOT IN (?, ?) ORDER BY created LIMIT ?)");
  erase.bind(1, time_s).bind(2, kQueued).bind(3, kInProgress).bind(4, at_most).run();
  return database_.connection.changes();
}

int64_t ResponseStore::close_unfinished(const json::object& error) {
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  std::vector<std::pair<std::string, json::object>> cut;
  auto select =
      database_.connection.prepare("SELECT id, data FROM response WHERE status IN (?, ?)");
  select.bind(1, kQueued).bind(2, kInProgress);
  while (select.step()) cut.emplace_back(select.text(0), parse_json(select.text(1)).as_object());
  for (auto& [id, data] : cut) {
    data["status"] = "failed";
    data["error"] = error;
    auto update = database_.connection.prepare(
        "UPDATE response SET status = 'failed', data = ? WHERE id = ?");
    update.bind(1, std::string_view(to_json(data))).bind(2, std::string_view(id)).run();
    auto items = database_.connection.prepare(
        "SELECT position, data FROM response_item WHERE response = ? AND is_output = 1");
    items.bind(1, std::string_view(id));
    while (items.step()) {
      json::object item = parse_json(items.text(1)).as_object();
      if (item["status"] != json::string(kInProgress)) continue;
      item["status"] = "incomplete";
      auto mark = database_.connection.prepare(
          "UPDATE response_item SET data = ? WHERE response = ? AND is_output = 1"
          " AND position = ?");
      mark.bind(1, std::string_view(to_json(item))).bind(2, std::string_view(id));
      mark.bind(3, items.integer(0)).run();
    }
  }
  transaction.commit();
  return static_cast<int64_t>(cut.size());
}

}  // namespace strata::api
