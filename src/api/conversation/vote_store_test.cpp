// Ratings are Elo's, and votes are their owner's.
#include "api/conversation/vote_store.h"

#include <gtest/gtest.h>

#include "api/conversation/history.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using strata::testing::error_of;

Vote vote(std::vector<std::string> models, std::string winner) {
  return {.models = std::move(models), .winner = std::move(winner)};
}

double rating(const std::vector<Rating>& table, const std::string& model) {
  for (const Rating& each : table) {
    if (each.model == model) return each.rating;
  }
  ADD_FAILURE() << "no rating of " << model;
  return 0;
}

TEST(Ratings, OfEqualsMoveByHalfAStep) {
  const std::vector votes{vote({"a", "b"}, "b")};
  const auto table = ratings_of(votes);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].model, "b");  // the best first
  EXPECT_DOUBLE_EQ(table[0].rating, 1016);
  EXPECT_DOUBLE_EQ(table[1].rating, 984);
  EXPECT_EQ(table[0].won, 1);
  EXPECT_EQ(table[1].lost, 1);
}

// 1016 against 984 expects 1 / (1 + 10^(-32 / 400)) = 0.5459…: a second win brings 32 × 0.4540….
TEST(Ratings, OfTheStrongerMoveLess) {
  const std::vector votes{vote({"a", "b"}, "a"), vote({"a", "b"}, "a")};
  const auto table = ratings_of(votes);
  EXPECT_NEAR(rating(table, "a"), 1030.530498, 1e-5);
  EXPECT_NEAR(rating(table, "b"), 969.469502, 1e-5);
}

TEST(Ratings, OfATieMoveTowardsEachOther) {
  const std::vector votes{vote({"a", "b"}, "a"), vote({"b", "a"}, "")};
  const auto table = ratings_of(votes);
  EXPECT_LT(rating(table, "a"), 1016);
  EXPECT_GT(rating(table, "a"), 1000);
  EXPECT_EQ(table[0].tied, 1);
  EXPECT_EQ(table[1].tied, 1);
}

TEST(Ratings, OfSeveralAreOneGameAgainstEachThatLost) {
  const std::vector votes{vote({"a", "b", "c", "d"}, "c")};
  const auto table = ratings_of(votes);
  EXPECT_DOUBLE_EQ(rating(table, "c"), 1048);
  for (const char* loser : {"a", "b", "d"}) EXPECT_DOUBLE_EQ(rating(table, loser), 984);
}

TEST(Ratings, MoveFromOneToAnother) {
  std::vector<Vote> votes;
  const std::vector<std::string> names{"a", "b", "c", "d"};
  for (size_t i = 0; i < 500; ++i) {
    const size_t n = kMinVotedModels + i % 3;
    std::vector<std::string> models(names.begin(), names.begin() + static_cast<int64_t>(n));
    std::string winner = i % 7 == 0 ? "" : models[i * i % n];
    votes.push_back(vote(std::move(models), std::move(winner)));
  }
  double sum = 0;
  int64_t counted = 0;
  for (const Rating& each : ratings_of(votes)) {
    sum += each.rating;
    counted += each.won;
  }
  EXPECT_NEAR(sum, 4 * kFirstRating, 1e-6);
  EXPECT_EQ(counted, 500 - 72);  // 72 ties
}

TEST(KeptVotes, AreKeptAndAreTheirOwners) {
  const strata::testing::TempFolder folder;
  Vote first;
  {
    History history(folder.path() / "strata.db");
    first = history.votes.add("me", vote({"a", "b"}, "a"), 7);
    history.votes.add("me", {.models = {"b", "c", "a"}, .winner = "", .blind = true}, 8);
  }
  History history(folder.path() / "strata.db");
  const auto mine = history.votes.all("me");
  ASSERT_EQ(mine.size(), 2u);
  EXPECT_EQ(mine[0].id, first.id);
  EXPECT_EQ(mine[0].created, 7);
  EXPECT_FALSE(mine[0].blind);
  EXPECT_EQ(mine[1].models, (std::vector<std::string>{"b", "c", "a"}));
  EXPECT_TRUE(mine[1].blind);
  EXPECT_TRUE(history.votes.all("other").empty());
  EXPECT_FALSE(history.votes.remove("other", first.id));
  EXPECT_EQ(history.votes.clear("other"), 0);
  EXPECT_EQ(history.votes.all("me").size(), 2u);
  EXPECT_TRUE(history.votes.remove("me", first.id));
  EXPECT_EQ(history.votes.clear("me"), 1);
}

TEST(KeptVotes, HaveALimitThatIsSaid) {
  const strata::testing::TempFolder folder;
  HistoryDatabase database(folder.path() / "strata.db");
  VoteStore votes(database);
  database.connection.execute(
      fmt::format("WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < {})"
                  " INSERT INTO vote (id, owner, created, models, winner, blind)"
                  " SELECT 'vote_' || i, 'me', i, '[\"a\",\"b\"]', 'a', 0 FROM k",
                  kMaxVotes));
  const auto error = error_of([&] { votes.add("me", vote({"a", "b"}, "b"), 0); });
  EXPECT_EQ(error.code(), Code::resource_exhausted);
  votes.add("other", vote({"a", "b"}, "b"), 0);
}

}  // namespace
}  // namespace strata::api
