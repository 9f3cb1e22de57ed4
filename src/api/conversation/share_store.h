// Conversations that their owners show to others: a copy of what was shown then, under a link that
// nobody can guess. What is said afterwards is not in it.
#pragma once

#include <optional>
#include <string>

#include "api/conversation/page.h"

namespace strata::api {

struct Share {
  std::string token;    // 256 random bits in hex: who has it may read
  std::string owner;    // whose conversation it is
  int64_t created = 0;  // milliseconds since 1970
  json::object content = {};
};

// Safe from several threads.
class ShareStore {
 public:
  explicit ShareStore(HistoryDatabase& database);

  // A conversation of this owner has one share: an earlier one ends. Error{not_found}: he has no
  // such conversation.
  Share put(const std::string& owner, const std::string& thread, json::object content,
            int64_t now_ms);
  std::optional<Share> find_of(const std::string& owner, const std::string& thread);
  // False: there is none.
  bool remove(const std::string& owner, const std::string& thread);
  // For everybody.
  std::optional<Share> find(const std::string& token);

 private:
  HistoryDatabase& database_;
};

}  // namespace strata::api
