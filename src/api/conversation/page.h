// What the tables of this folder share: the connection, ids, and lists that go on behind an id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "api/kept.h"
#include "core/db.h"
#include "core/json.h"

namespace strata::api {

constexpr int64_t kMaxPageItems = 100;
constexpr int64_t kPageItems = 20;  // unless asked otherwise

// One connection for all tables, one caller at a time.
struct HistoryDatabase {
  explicit HistoryDatabase(const std::filesystem::path& path, const KeepLimits& limits = {});
  std::mutex mutex;
  Database connection;
  const KeepLimits limits;

  KeptRoom room_of(const std::string& owner) { return {connection, owner, limits.owner_bytes}; }
};

// "resp_" and 128 random bits in hex.
std::string new_id(std::string_view prefix);
// Whether it can be one of ours: nothing else is looked for.
bool is_id(std::string_view prefix, std::string_view text);

struct PageRequest {
  std::string after =
      {};  // the list goes on behind the element with this id; "": from its beginning
  int64_t limit = kPageItems;
  bool ascending = false;  // oldest first
};

struct Page {
  json::array data;
  bool has_more = false;
};

// The rows of `table` that `where` allows, a condition whose parameters are `values`; the table has
// the columns id, position and data (JSON). Error{not_found}: `after` is none of them.
Page read_page(Database& database, std::string_view table, std::string_view where,
               std::span<const std::string> values, const PageRequest& request);

}  // namespace strata::api
