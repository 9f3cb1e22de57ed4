// A person's votes between models that answered the same, and the ratings that follow from them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "api/conversation/page.h"

namespace strata::api {

constexpr int64_t kMaxVotes = 10'000;  // of one owner: all are read for a table
constexpr size_t kMinVotedModels = 2, kMaxVotedModels = 4;

constexpr double kFirstRating = 1000;
constexpr double kRatingStep = 32;    // the most that one game moves a rating: Elo's K
constexpr double kRatingScale = 400;  // so many points ahead are odds of ten to one

struct Vote {
  std::string id = {};
  std::vector<std::string> models = {};  // that answered, each once
  std::string winner = {};               // one of them; "": none was better
  bool blind = false;                    // the names were not shown before the vote
  int64_t created = 0;                   // milliseconds since 1970
};

struct Rating {
  std::string model;
  double rating = kFirstRating;
  int64_t won = 0, lost = 0, tied = 0;  // votes
};

// Elo's ratings (The Rating of Chessplayers, 1978, chapter 1), the best first. A vote is one game
// of the winner against each other model, or a draw of every two; its games all count from the
// ratings before it. Games move points from one model to another: their mean stays kFirstRating.
std::vector<Rating> ratings_of(std::span<const Vote> oldest_first);

// Every function takes the owner and finds only what is his. Safe from several threads.
class VoteStore {
 public:
  explicit VoteStore(HistoryDatabase& database);

  // Gives it an id. Error{resource_exhausted}: the owner has kMaxVotes.
  Vote add(const std::string& owner, Vote vote, int64_t now_ms);
  std::vector<Vote> all(const std::string& owner);  // oldest first
  bool remove(const std::string& owner, const std::string& id);
  int64_t clear(const std::string& owner);  // returns how many there were

 private:
  HistoryDatabase& database_;
};

}  // namespace strata::api
