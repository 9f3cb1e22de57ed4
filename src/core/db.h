// SQLite, thinly: connections, statements and transactions that close themselves, and numbered
// migrations. One connection belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace strata {

// One prepared statement. Parameters count from 1, columns from 0, as SQL has them.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int parameter, int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view value);
  Statement& bind_null(int parameter);
  Statement& bind_blob(int parameter, std::span<const std::byte> value);

  bool step();  // true: a row is there
  void run();   // steps to the end, then reset
  void reset();

  bool is_null(int column) const;
  int64_t integer(int column) const;
  double number(int column) const;
  std::string text(int column) const;
  std::vector<std::byte> blob(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  sqlite3* database_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // Opens or creates; WAL, foreign keys on, waits up to 10 s for another writer. The path
  // ":memory:" is a database of its own in memory. Errors: unavailable (busy),
  // data_loss (no database, or a damaged one), resource_exhausted (disk full), internal.
  static Database open(const std::filesystem::path& path);
  Database(Database&& other) noexcept;
  ~Database();

  Statement prepare(std::string_view sql);
  void execute(std::string_view sql);  // one or more statements without results
  int64_t last_insert_id() const;
  int64_t changes() const;

  // Brings the tables of `owner` to the state after steps[0..n-1]; each step runs once in the life
  // of the database, all in one transaction. Steps are only ever appended.
  // Error{failed_precondition} when the database was written by a newer program.
  void migrate(std::string_view owner, std::span<const std::string_view> steps);

 private:
  friend class Transaction;
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
};

// BEGIN IMMEDIATE now; COMMIT when asked, otherwise ROLLBACK at the end of the scope.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace strata
