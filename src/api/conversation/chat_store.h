// Chat completions that were asked to be stored, as rows of the store's database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/conversation/page.h"

namespace strata::api {

struct StoredChat {
  std::string id;
  std::string model;
  int64_t created = 0;      // seconds since 1970
  json::object completion;  // as it was answered, with "metadata"
  json::array messages;     // of the request, each with an "id"
};

struct ChatFilter {
  std::string model = {};      // "": every one
  json::object metadata = {};  // each of these pairs must be there
};

// Every function takes the owner and finds only what is his. Safe from several threads.
class ChatStore {
 public:
  explicit ChatStore(HistoryDatabase& database);

  void put(const std::string& owner, const StoredChat& chat);
  std::optional<json::object> find(const std::string& owner, const std::string& id);
  Page page(const std::string& owner, const ChatFilter& filter, const PageRequest& request);
  std::optional<Page> message_page(const std::string& owner, const std::string& id,
                                   const PageRequest& request);
  // The completion as it is then.
  std::optional<json::object> set_metadata(const std::string& owner, const std::string& id,
                                           const json::object& metadata);
  bool remove(const std::string& owner, const std::string& id);
  // Those made before this time, at most so many. Returns how many.
  int64_t remove_before(int64_t time_s, int64_t at_most);

 private:
  HistoryDatabase& database_;
};

}  // namespace strata::api
