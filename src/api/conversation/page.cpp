#include "api/conversation/page.h"

#include <algorithm>

#include "core/error.h"
#include "core/os.h"
#include "core/random.h"

namespace strata::api {
namespace {

constexpr size_t kIdBytes = 16;

Database open_database(const std::filesystem::path& path) {
  if (path.has_parent_path()) make_directories(path.parent_path());
  return Database::open(path);
}

int bind_all(Statement& statement, std::span<const std::string> values) {
  int at = 0;
  for (const std::string& value : values) statement.bind(++at, std::string_view(value));
  return at;
}

}  // namespace

HistoryDatabase::HistoryDatabase(const std::filesystem::path& path, const KeepLimits& keep)
    : connection(open_database(path)), limits(keep) {}

std::string new_id(std::string_view prefix) {
  return std::string(prefix) + random_hex(kIdBytes);
}

bool is_id(std::string_view prefix, std::string_view text) {
  if (text.size() != prefix.size() + 2 * kIdBytes || !text.starts_with(prefix)) return false;
  return std::ranges::all_of(text.substr(prefix.size()), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

Page read_page(Database& database, std::string_view table, std::string_view where,
               std::span<const std::string> values, const PageRequest& request) {
  int64_t from = request.ascending ? INT64_MIN : INT64_MAX;
  if (!request.after.empty()) {
    auto find =
        database.prepare(fmt::format("SELECT position FROM {} WHERE {} AND id = ?", table, where));
    find.bind(bind_all(find, values) + 1, std::string_view(request.after));
    if (!find.step()) {
      throw Error(Code::not_found, "the list has no element with the id given as 'after'",
                  "take last_id of the page before");
    }
    from = find.integer(0);
  }
  auto select = database.prepare(
      fmt::format("SELECT data FROM {} WHERE {} AND position {} ? ORDER BY position {} LIMIT ?",
                  table, where, request.ascending ? '>' : '<', request.ascending ? "ASC" : "DESC"));
  const int n = bind_all(select, values);
  select.bind(n + 1, from).bind(n + 2, request.limit + 1);
  Page page;
  while (select.step()) {
    if (static_cast<int64_t>(page.data.size()) == request.limit) {
      page.has_more = true;
      break;
    }
    page.data.push_back(parse_json(select.text(0)));
  }
  return page;
}

}  // namespace strata::api
