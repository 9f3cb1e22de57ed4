#include "api/conversation/vote_store.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/error.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 1> kMigrations{
    "CREATE TABLE vote (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,"
    " created INTEGER NOT NULL, models TEXT NOT NULL, winner TEXT NOT NULL,"
    " blind INTEGER NOT NULL);"
    "CREATE INDEX vote_of_owner ON vote (owner, n)"};

std::vector<std::string> read_names(std::string_view text) {
  std::vector<std::string> names;
  const json::value list = parse_json(text);
  for (const json::value& each : list.as_array()) names.emplace_back(each.as_string());
  return names;
}

// The points that `mine` wins of a game; the other one loses them. A score is 1, 0.5 or 0.
double gain(double mine, double other, double score) {
  const double expected = 1 / (1 + std::pow(10, (other - mine) / kRatingScale));
  return kRatingStep * (score - expected);
}

void count(Rating& rating, const Vote& vote) {
  ++(vote.winner.empty() ? rating.tied : vote.winner == rating.model ? rating.won : rating.lost);
}

}  // namespace

std::vector<Rating> ratings_of(std::span<const Vote> oldest_first) {
  std::map<std::string, Rating> table;
  for (const Vote& vote : oldest_first) {
    std::map<std::string, double> gains;
    for (const std::string& model : vote.models) {
      table.try_emplace(model, Rating{.model = model});
      count(table.at(model), vote);
    }
    for (size_t i = 0; i < vote.models.size(); ++i) {
      for (size_t j = i + 1; j < vote.models.size(); ++j) {
        const std::string &one = vote.models[i], &other = vote.models[j];
        if (!vote.winner.empty() && vote.winner != one && vote.winner != other) continue;
        const double score = vote.winner.empty() ? 0.5 : vote.winner == one ? 1 : 0;
        const double points = gain(table.at(one).rating, table.at(other).rating, score);
        gains[one] += points;
        gains[other] -= points;
      }
    }
    for (const auto& [model, points] : gains) table.at(model).rating += points;
  }
  std::vector<Rating> out;
  for (auto& [model, rating] : table) out.push_back(std::move(rating));
  std::ranges::stable_sort(out, std::greater(), &Rating::rating);
  return out;
}

VoteStore::VoteStore(HistoryDatabase& database) : database_(database) {
  const std::lock_guard lock(database_.mutex);
  database_.connection.migrate("vote", kMigrations);
}

Vote VoteStore::add(const std::string& owner, Vote vote, int64_t now_ms) {
  vote.id = new_id("vote_");
  vote.created = now_ms;
  const std::lock_guard lock(database_.mutex);
  Transaction transaction(database_.connection);
  auto n = database_.connection.prepare("SELECT COUNT(*) FROM vote WHERE owner = ?");
  n.bind(1, std::string_view(owner)).step();
  if (n.integer(0) >= kMaxVotes) {
    throw Error(Code::resource_exhausted, fmt::format("there are {} votes already", n.integer(0)),
                "delete them to begin again: DELETE /api/v1/votes");
  }
  json::array models(vote.models.begin(), vote.models.end());
  auto insert = database_.connection.prepare(
      "INSERT INTO vote (id, owner, created, models, winner, blind) VALUES (?, ?, ?, ?, ?, ?)");
  insert.bind(1, std::string_view(vote.id)).bind(2, std::string_view(owner)).bind(3, now_ms);
  insert.bind(4, std::string_view(to_json(models))).bind(5, std::string_view(vote.winner));
  insert.bind(6, static_cast<int64_t>(vote.blind)).run();
  transaction.commit();
  return vote;
}

std::vector<Vote> VoteStore::all(const std::string& owner) {
  const std::lock_guard lock(database_.mutex);
  auto select = database_.connection.prepare(
      "SELECT id, models, winner, blind, created FROM vote WHERE owner = ? ORDER BY n");
  select.bind(1, std::string_view(owner));
  std::vector<Vote> out;
  while (select.step()) {
    out.push_back({.id = select.text(0),
                   .models = read_names(select.text(1)),
                   .winner = select.text(2),
                   .blind = select.integer(3) != 0,
                   .created = select.integer(4)});
  }
  return out;
}

bool VoteStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare("DELETE FROM vote WHERE owner = ? AND id = ?");
  erase.bind(1, std::string_view(owner)).bind(2, std::string_view(id)).run();
  return database_.connection.changes() > 0;
}

int64_t VoteStore::clear(const std::string& owner) {
  const std::lock_guard lock(database_.mutex);
  auto erase = database_.connection.prepare("DELETE FROM vote WHERE owner = ?");
  erase.bind(1, std::string_view(owner)).run();
  return database_.connection.changes();
}

}  // namespace strata::api
