#include "core/db.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata {
namespace {

using testing::error_of;
using testing::TempFolder;

constexpr std::string_view kFirst = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)";
constexpr std::string_view kSecond = "ALTER TABLE t ADD COLUMN size REAL";

int64_t count(Database& database) {
  auto statement = database.prepare("SELECT count(*) FROM t");
  EXPECT_TRUE(statement.step());
  return statement.integer(0);
}

TEST(Database, values_come_back_as_they_went_in) {
  auto database = Database::open(":memory:");
  database.execute("CREATE TABLE v (i INTEGER, d REAL, t TEXT, b BLOB, n TEXT)");
  const std::string text = "a\0b 'quoted' \xC3\xA9";
  const std::byte blob[] = {std::byte{0}, std::byte{255}};
  database.prepare("INSERT INTO v VALUES (?,?,?,?,?)")
      .bind(1, int64_t{-5'000'000'000})
      .bind(2, 0.1)
      .bind(3, text)
      .bind_blob(4, blob)
      .bind_null(5)
      .run();
  auto row = database.prepare("SELECT * FROM v");
  ASSERT_TRUE(row.step());
  EXPECT_EQ(row.integer(0), -5'000'000'000);
  EXPECT_EQ(row.number(1), 0.1);
  EXPECT_EQ(row.text(2), text);
  EXPECT_EQ(row.blob(3), std::vector<std::byte>(blob, blob + 2));
  EXPECT_TRUE(row.is_null(4));
  EXPECT_FALSE(row.step());
}

TEST(Database, migrations_run_once_each_and_in_order) {
  const TempFolder folder;
  const std::string_view first[] = {kFirst};
  const std::string_view both[] = {kFirst, kSecond};
  {
    auto database = Database::open(folder.path() / "x.db");
    database.migrate("t", first);
    database.execute("INSERT INTO t (name) VALUES ('kept')");
  }
  auto database = Database::open(folder.path() / "x.db");
  database.migrate("t", both);
  database.migrate("t", both);
  database.execute("UPDATE t SET size = 1.5");
  EXPECT_EQ(count(database), 1);
  const Error error = error_of([&] { database.migrate("t", first); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
}

TEST(Database, a_failing_migration_changes_nothing) {
  auto database = Database::open(":memory:");
  const std::string_view broken[] = {kFirst, "CREATE TABLE nonsense ("};
  error_of([&] { database.migrate("t", broken); });
  const std::string_view good[] = {kFirst};
  database.migrate("t", good);
  EXPECT_EQ(count(database), 0);
}

TEST(Database, a_transaction_without_commit_is_undone) {
  auto database = Database::open(":memory:");
  database.execute(kFirst);
  {
    const Transaction transaction(database);
    database.execute("INSERT INTO t (name) VALUES ('a')");
  }
  EXPECT_EQ(count(database), 0);
  {
    Transaction transaction(database);
    database.execute("INSERT INTO t (name) VALUES ('a')");
    transaction.commit();
  }
  EXPECT_EQ(count(database), 1);
  EXPECT_EQ(error_of([&] { database.execute("INSERT INTO t (name) VALUES ('a')"); }).code(),
            Code::already_exists);
}

TEST(Database, a_file_that_is_none_is_data_loss) {
  const TempFolder folder;
  write_file_atomic(folder.path() / "x.db", std::string(10'000, 'x'));
  EXPECT_EQ(error_of([&] { Database::open(folder.path() / "x.db"); }).code(), Code::data_loss);
}

TEST(Database, two_processes_write_without_loss) {
  const TempFolder folder;
  const auto path = folder.path() / "x.db";
  const auto write = [&] {
    auto database = Database::open(path);
    const std::string_view steps[] = {kFirst};
    database.migrate("t", steps);
    for (int i = 0; i < 50; ++i) {
      Transaction transaction(database);
      database.prepare("INSERT INTO t (name) VALUES (?)")
          .bind(1, std::to_string(::getpid()) + "-" + std::to_string(i))
          .run();
      transaction.commit();
    }
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      write();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  write();
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  auto database = Database::open(path);
  EXPECT_EQ(count(database), 100);
}

}  // namespace
}  // namespace strata
