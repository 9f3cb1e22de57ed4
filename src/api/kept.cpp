#include "api/kept.h"

#include <array>

#include <fmt/core.h>

#include "core/error.h"

namespace strata::api {
namespace {

// `row`: NEW, OLD, or the table's name.
std::string in_row(std::string_view expression, std::string_view row) {
  std::string out;
  for (size_t at = expression.find("ROW."); at != std::string_view::npos;
       at = expression.find("ROW.")) {
    out += fmt::format("{}{}.", expression.substr(0, at), row);
    expression.remove_prefix(at + 4);
  }
  return out + std::string(expression);
}

std::string bytes_of(const CountedTable& table) {
  if (!table.bytes.empty()) return std::string(table.bytes);
  std::string sum;
  for (const std::string_view column : table.texts) {
    sum += fmt::format("{}LENGTH(CAST(ROW.{} AS BLOB))", sum.empty() ? "" : " + ", column);
  }
  return sum;
}

std::string step_for(const CountedTable& table) {
  const std::string bytes = bytes_of(table);
  const auto add = [&](std::string_view amount, std::string_view row) {
    return fmt::format("UPDATE kept SET bytes = bytes {} WHERE owner = {} AND kind = '{}';", amount,
                       in_row(table.owner, row), table.name);
  };
  std::string step =
      "CREATE TABLE IF NOT EXISTS kept (owner TEXT NOT NULL, kind TEXT NOT NULL,"
      " bytes INTEGER NOT NULL, PRIMARY KEY (owner, kind));";
  // A row whose owner cannot be found counts for nobody.
  step += fmt::format(
      "CREATE TRIGGER kept_{0}_insert AFTER INSERT ON {0} BEGIN"
      " INSERT INTO kept (owner, kind, bytes) SELECT owner, '{0}', bytes FROM"
      " (SELECT {1} AS owner, {2} AS bytes) WHERE owner IS NOT NULL"
      " ON CONFLICT (owner, kind) DO UPDATE SET bytes = bytes + excluded.bytes; END;",
      table.name, in_row(table.owner, "NEW"), in_row(bytes, "NEW"));
  step += fmt::format(
      "CREATE TRIGGER kept_{0}_update AFTER UPDATE ON {0} BEGIN {1} END;", table.name,
      add(fmt::format("- ({}) + ({})", in_row(bytes, "OLD"), in_row(bytes, "NEW")), "NEW"));
  step += fmt::format("CREATE TRIGGER kept_{0}_delete AFTER DELETE ON {0} BEGIN {1} END;",
                      table.name, add(fmt::format("- ({})", in_row(bytes, "OLD")), "OLD"));
  step += fmt::format(
      "INSERT INTO kept (owner, kind, bytes) SELECT owner, '{0}', SUM(bytes) FROM"
      " (SELECT {1} AS owner, {2} AS bytes FROM {0}) WHERE owner IS NOT NULL GROUP BY owner;",
      table.name, in_row(table.owner, table.name), in_row(bytes, table.name));
  return step;
}

}  // namespace

void count_kept(Database& database, std::span<const CountedTable> tables, std::string_view more) {
  std::string step;
  for (const CountedTable& table : tables) step += step_for(table);
  step += more;
  database.migrate(fmt::format("kept_{}", tables.front().name), std::array{std::string_view(step)});
}

int64_t kept_bytes(Database& database, std::string_view owner) {
  auto sum = database.prepare("SELECT COALESCE(SUM(bytes), 0) FROM kept WHERE owner = ?");
  sum.bind(1, owner).step();
  return sum.integer(0);
}

KeptRoom::KeptRoom(Database& database, std::string owner, int64_t limit_bytes)
    : database_(database),
      owner_(std::move(owner)),
      limit_bytes_(limit_bytes),
      before_(kept_bytes(database, owner_)) {}

void KeptRoom::check(int64_t more) const {
  const int64_t now = kept_bytes(database_, owner_) + more;
  if (limit_bytes_ == 0 || now <= limit_bytes_ || now <= before_) return;
  throw Error(Code::resource_exhausted,
              fmt::format("{} would keep {} bytes, {} more than now; the limit is {}",
                          owner_.empty() ? "callers without a key" : "this key", now, now - before_,
                          limit_bytes_),
              "delete responses, chats, conversations, files or batches that are not needed any "
              "more, or raise server.keep_bytes");
}

}  // namespace strata::api
