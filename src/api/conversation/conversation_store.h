// Conversations and their items, as rows of the store's database. What an item is, is its writer's
// business: an object with an "id".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/conversation/page.h"

namespace strata::api {

constexpr int64_t kMaxConversationItems = 100'000;
constexpr int64_t kMaxConversationBytes = 64 << 20;  // of all its items: what a request may load

struct ConversationRow {
  std::string id;
  int64_t created = 0;  // seconds since 1970
  json::object metadata;
};

// Every function takes the owner and finds only what is his. Safe from several threads.
class ConversationStore {
 public:
  explicit ConversationStore(HistoryDatabase& database);

  ConversationRow create(const std::string& owner, json::object metadata, const json::array& items,
                         int64_t now_s);
  std::optional<ConversationRow> find(const std::string& owner, const std::string& id);
  bool set_metadata(const std::string& owner, const std::string& id, const json::object& metadata);
  bool remove(const std::string& owner, const std::string& id);

  // Behind the items that are there; false: there is no such conversation. Error{
  // resource_exhausted}: it is full, or the owner keeps too much.
  bool append(const std::string& owner, const std::string& id, const json::array& items);
  json::array items(const std::string& owner, const std::string& id);  // all, oldest first
  Page item_page(const std::string& owner, const std::string& id, const PageRequest& request);
  std::optional<json::object> item(const std::string& owner, const std::string& id,
                                   const std::string& item_id);
  bool remove_item(const std::string& owner, const std::string& id, const std::string& item_id);
  // The item of any conversation of the owner.
  std::optional<json::object> any_item(const std::string& owner, const std::string& item_id);

 private:
  void insert_items(const std::string& owner, const std::string& id, const json::array& items);

  HistoryDatabase& database_;
};

}  // namespace strata::api
