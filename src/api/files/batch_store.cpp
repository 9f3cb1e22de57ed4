#include "api/files/batch_store.h"

#include <array>

#include "core/error.h"
#include "core/random.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 2> kMigrations{
    "CREATE TABLE batch (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " owner TEXT NOT NULL, status TEXT NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX batch_owner ON batch (owner, position);"
    "CREATE TABLE batch_line (batch TEXT NOT NULL, line INTEGER NOT NULL, ok INTEGER NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY (batch, line))",
    "ALTER TABLE batch ADD COLUMN kind TEXT NOT NULL DEFAULT ''"};

constexpr std::string_view kColumns = "SELECT id, owner, status, data, kind FROM batch ";
constexpr std::string_view kUnfinished =
    " status IN ('validating', 'in_progress', 'finalizing', 'cancelling') ";

Batch read_row(const Statement& row) {
  return {.id = row.text(0),
          .owner = row.text(1),
          .status = row.text(2),
          .data = parse_json(row.text(3)).as_object(),
          .kind = row.text(4)};
}

Error no_such_batch(std::string_view id) {
  return {Code::not_found, fmt::format("there is no batch {}", id.substr(0, 80))};
}

}  // namespace

BatchStore::BatchStore(const std::filesystem::path& database, const KeepLimits& limits)
    : owner_bytes_(limits.owner_bytes), database_(Database::open(database)) {
  database_.migrate("batch", kMigrations);
  count_kept(database_,
             std::array{CountedTable{.name = "batch", .texts = {"data"}},
                        CountedTable{.name = "batch_line",
                                     .texts = {"text"},
                                     .owner = "(SELECT owner FROM batch WHERE id = ROW.batch)"}});
}

Batch BatchStore::add(std::string owner, json::object data, std::string kind) {
  const std::string id = fmt::format("{}_{}", kind.empty() ? "batch" : kind, random_hex(16));
  Batch batch{id, std::move(owner), "validating", std::move(data), std::move(kind)};
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  const KeptRoom room(database_, batch.owner, owner_bytes_);
  auto count = database_.prepare(
      fmt::format("SELECT COUNT(*) FROM batch WHERE owner = ? AND {}", kUnfinished));
  count.bind(1, std::string_view(batch.owner)).step();
  const int64_t unfinished = count.integer(0);
  count.reset();  // as in FileStore::remove
  if (unfinished >= kMaxUnfinishedBatches) {
    throw Error(
        Code::resource_exhausted,
        fmt::format("{} batches of this key are not finished, which is the limit", unfinished),
        "wait for one to end, or cancel it");
  }
  auto insert =
      database_.prepare("INSERT INTO batch (id, owner, status, data, kind) VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, std::string_view(batch.id)).bind(2, std::string_view(batch.owner));
  insert.bind(3, std::string_view(batch.status));
  const std::string text = to_json(batch.data);
  insert.bind(4, std::string_view(text)).bind(5, std::string_view(batch.kind)).run();
  room.check();
  transaction.commit();
  return batch;
}

Batch BatchStore::get(std::string_view owner, std::string_view id) const {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare(fmt::format("{}WHERE owner = ? AND id = ?", kColumns));
  if (!select.bind(1, owner).bind(2, id).step()) throw no_such_batch(id);
  return read_row(select);
}

Batch BatchStore::get(std::string_view owner, std::string_view id, std::string_view kind) const {
  Batch batch = get(owner, id);
  if (batch.kind != kind) throw no_such_batch(id);
  return batch;
}

void BatchStore::remove(std::string_view id) {
  forget_lines(id);
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM batch WHERE id = ?").bind(1, id).run();
}

void BatchStore::update(const Batch& batch) {
  const std::string data = to_json(batch.data);
  const std::lock_guard lock(mutex_);
  auto update = database_.prepare("UPDATE batch SET status = ?, data = ? WHERE id = ?");
  update.bind(1, std::string_view(batch.status)).bind(2, std::string_view(data));
  update.bind(3, std::string_view(batch.id)).run();
}

void BatchStore::set_data(const Batch& batch) {
  const std::string data = to_json(batch.data);
  const std::lock_guard lock(mutex_);
  auto update = database_.prepare("UPDATE batch SET data = ? WHERE id = ?");
  update.bind(1, std::string_view(data)).bind(2, std::string_view(batch.id)).run();
}

bool BatchStore::move(std::string_view id, std::string_view from, std::string_view to) {
  const std::lock_guard lock(mutex_);
  auto update = database_.prepare("UPDATE batch SET status = ? WHERE id = ? AND status = ?");
  update.bind(1, to).bind(2, id).bind(3, from).run();
  return database_.changes() > 0;
}

bool BatchStore::cancel(std::string_view id, int64_t now_s) {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare(
      fmt::format("{}WHERE id = ? AND status IN ('validating', 'in_progress')", kColumns));
  if (!select.bind(1, id).step()) return false;
  Batch batch = read_row(select);
  select.reset();
  batch.data["cancelling_at"] = now_s;
  const std::string data = to_json(batch.data);
  auto update = database_.prepare("UPDATE batch SET status = 'cancelling', data = ? WHERE id = ?");
  update.bind(1, std::string_view(data)).bind(2, id).run();
  return true;
}

std::optional<Batch> BatchStore::oldest_unfinished() const {
  const std::lock_guard lock(mutex_);
  auto select =
      database_.prepare(fmt::format("{}WHERE {} ORDER BY position LIMIT 1", kColumns, kUnfinished));
  if (!select.step()) return std::nullopt;
  return read_row(select);
}

std::vector<Batch> BatchStore::list(std::string_view owner, std::string_view after, int64_t limit,
                                    std::string_view kind) const {
  const std::lock_guard lock(mutex_);
  int64_t position = INT64_MAX;
  if (!after.empty()) {
    auto select =
        database_.prepare("SELECT position FROM batch WHERE owner = ? AND id = ? AND kind = ?");
    if (!select.bind(1, owner).bind(2, after).bind(3, kind).step()) throw no_such_batch(after);
    position = select.integer(0);
  }
  auto select = database_.prepare(fmt::format(
      "{}WHERE owner = ? AND kind = ? AND position < ? ORDER BY position DESC LIMIT ?", kColumns));
  select.bind(1, owner).bind(2, kind).bind(3, position).bind(4, limit + 1);
  std::vector<Batch> batches;
  while (select.step()) batches.push_back(read_row(select));
  return batches;
}

void BatchStore::record(std::string_view id, int64_t line, const BatchLine& answer) {
  const std::lock_guard lock(mutex_);
  auto insert = database_.prepare(
      "INSERT INTO batch_line (batch, line, ok, text) VALUES (?, ?, ?, ?)"
      " ON CONFLICT (batch, line) DO NOTHING");
  insert.bind(1, id).bind(2, line).bind(3, int64_t{answer.ok});
  insert.bind(4, std::string_view(answer.text)).run();
}

std::map<int64_t, BatchLine> BatchStore::lines(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare("SELECT line, ok, text FROM batch_line WHERE batch = ?");
  select.bind(1, id);
  std::map<int64_t, BatchLine> lines;
  while (select.step()) lines[select.integer(0)] = {select.integer(1) != 0, select.text(2)};
  return lines;
}

std::map<int64_t, int64_t> BatchStore::answer_sizes(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  auto select =
      database_.prepare("SELECT line, LENGTH(CAST(text AS BLOB)) FROM batch_line WHERE batch = ?");
  select.bind(1, id);
  std::map<int64_t, int64_t> sizes;
  while (select.step()) sizes[select.integer(0)] = select.integer(1);
  return sizes;
}

void BatchStore::forget_lines(std::string_view id) {
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM batch_line WHERE batch = ?").bind(1, id).run();
}

json::object BatchStore::wire(const Batch& batch) const {
  json::object whole{{"id", batch.id}, {"object", "batch"}, {"status", batch.status}};
  for (const auto& member : batch.data) whole[member.key()] = member.value();
  for (const char* ours : {"total", "headers", "unmade"}) whole.erase(ours);
  if (whole.contains("request_counts")) return whole;  // it has ended
  const std::lock_guard lock(mutex_);
  auto count =
      database_.prepare("SELECT COUNT(*), COALESCE(SUM(ok), 0) FROM batch_line WHERE batch = ?");
  count.bind(1, std::string_view(batch.id)).step();
  const auto* total = batch.data.if_contains("total");
  whole["request_counts"] = json::object{{"total", total ? *total : json::value(0)},
                                         {"completed", count.integer(1)},
                                         {"failed", count.integer(0) - count.integer(1)}};
  return whole;
}

}  // namespace strata::api
