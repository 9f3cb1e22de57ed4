#include "core/db.h"

#include <chrono>
#include <thread>
#include <utility>

#include <sqlite3.h>

#include "core/error.h"

namespace strata {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::data_loss;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM:
      return Code::resource_exhausted;
    case SQLITE_CONSTRAINT:
      return Code::already_exists;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return Code::permission_denied;
    default:
      return Code::internal;
  }
}

[[noreturn]] void fail(sqlite3* handle, int result, std::string_view doing) {
  throw Error(code_of(result),
              fmt::format("database: {}: {}", doing,
                          handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result)));
}

void check(sqlite3* handle, int result, std::string_view doing) {
  if (result != SQLITE_OK) fail(handle, result, doing);
}

// SQLite's own waiting does not cover this change: of two processes that open a new database at
// once, one is told that it is locked.
void use_write_ahead_log(Database& database) {
  constexpr auto kPause = std::chrono::milliseconds(5);
  for (int waited_ms = 0;; waited_ms += 5) {
    try {
      return database.execute("PRAGMA journal_mode=WAL;");
    } catch (const Error& error) {
      if (error.code() != Code::unavailable || waited_ms >= kBusyTimeoutMs) throw;
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int parameter, int64_t value) {
  check(database_, sqlite3_bind_int64(statement_, parameter, value), "bind");
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  check(database_, sqlite3_bind_double(statement_, parameter, value), "bind");
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  check(database_,
        sqlite3_bind_text64(statement_, parameter, value.data() != nullptr ? value.data() : "",
                            value.size(), SQLITE_TRANSIENT, SQLITE_UTF8),
        "bind");
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  check(database_, sqlite3_bind_null(statement_, parameter), "bind");
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::span<const std::byte> value) {
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  check(database_, sqlite3_bind_blob64(statement_, parameter, data, value.size(), SQLITE_TRANSIENT),
        "bind");
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  // The message is taken before reset, which repeats the error code.
  const Error error(code_of(result), fmt::format("database: {}", sqlite3_errmsg(database_)));
  sqlite3_reset(statement_);
  throw error;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::number(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::vector<std::byte> Statement::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::vector<std::byte>{} : std::vector<std::byte>(data, data + size);
}

Database Database::open(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database(handle);
  check(handle, result, "open " + path.string());
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  sqlite3_extended_result_codes(handle, 1);
  use_write_ahead_log(database);
  database.execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;");
  return database;
}

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  check(handle_, result, sql);
  return {handle_, statement};
}

void Database::execute(std::string_view sql) {
  const std::string text(sql);
  check(handle_, sqlite3_exec(handle_, text.c_str(), nullptr, nullptr, nullptr), sql);
}

int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(handle_);
}

int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

void Database::migrate(std::string_view owner, std::span<const std::string_view> steps) {
  Transaction transaction(*this);
  execute("CREATE TABLE IF NOT EXISTS migrations (owner TEXT PRIMARY KEY, step INTEGER NOT NULL)");
  Statement query = prepare("SELECT step FROM migrations WHERE owner = ?");
  query.bind(1, owner);
  const auto done = query.step() ? static_cast<size_t>(query.integer(0)) : 0;
  query.reset();
  if (done > steps.size()) {
    throw Error(Code::failed_precondition,
                fmt::format("database: the tables of '{}' are at step {}, this program knows {}",
                            owner, done, steps.size()),
                "use the newer program that wrote them");
  }
  for (const auto& step : steps.subspan(done)) execute(step);
  prepare(
      "INSERT INTO migrations (owner, step) VALUES (?, ?) "
      "ON CONFLICT (owner) DO UPDATE SET step = excluded.step")
      .bind(1, owner)
      .bind(2, static_cast<int64_t>(steps.size()))
      .run();
  transaction.commit();
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Some errors have rolled back already; then there is nothing left to undo.
  if (open_ && sqlite3_get_autocommit(database_.handle_) == 0) {
    sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace strata
