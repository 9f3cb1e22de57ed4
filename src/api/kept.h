// How many bytes each owner keeps in the store's database and folders: files, batches, responses,
// stored chats, conversations. The database counts itself, by triggers, so that no writer has to
// remember to and asking takes one look.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/db.h"

namespace strata::api {

struct KeepLimits {
  int64_t days = 30;                    // for responses and stored chats; 0: for ever
  int64_t owner_bytes = 8'000'000'000;  // of all that one owner keeps; 0: as many as there is room
};

// A table whose rows count. In `owner` and `bytes`, SQL expressions, "ROW" stands for a row.
struct CountedTable {
  std::string_view name;
  std::vector<std::string_view> texts = {};  // columns with text, whose bytes count
  std::string_view bytes = {};               // instead: what a row counts as
  std::string_view owner = "ROW.owner";
};

// Counts from now on, and what is there already: a migration behind that of the tables, named after
// the first of them. `more`: SQL that belongs to it.
void count_kept(Database& database, std::span<const CountedTable> tables,
                std::string_view more = {});

int64_t kept_bytes(Database& database, std::string_view owner);

// Made before what is written, asked behind it in the same transaction. Who keeps too much can
// still change what makes it less.
class KeptRoom {
 public:
  KeptRoom(Database& database, std::string owner, int64_t limit_bytes);
  // With `more` bytes that are still to be written. Error{resource_exhausted} with the numbers:
  // more is kept than before, and than may be.
  void check(int64_t more = 0) const;

 private:
  Database& database_;
  const std::string owner_;
  const int64_t limit_bytes_, before_;
};

}  // namespace strata::api
