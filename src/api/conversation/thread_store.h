// The app's conversations: trees of messages, so that an edited question and a second answer stand
// beside the first, with what a person sees of them: title, folder, pin, draft.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/conversation/page.h"
#include "core/error.h"

namespace strata::api {

constexpr int64_t kMaxThreadMessages = 20'000;
constexpr int64_t kMaxThreadBytes = 64 << 20;  // of all its messages: what a request may load
constexpr size_t kMaxTitleBytes = 400;
constexpr size_t kMaxSearchWords = 8;
constexpr std::string_view kMessageWorking = "working";  // status, while it is being answered
constexpr std::string_view kMessageDone = "done";
constexpr std::string_view kMessageCut = "cut";  // it ended before it was whole

struct ThreadMessage {
  std::string id = {};
  std::string parent = {};  // "": it begins the conversation
  std::string role = {};    // "user" or "assistant"
  std::string status = std::string(kMessageDone);
  std::string text = {};
  std::string reasoning = {};
  json::object data = {};  // an answer's model, parameters, usage, calls, error
  int64_t created = 0;     // milliseconds since 1970
};

// Of several that are added at once: its parent's place among them, -1: it begins the conversation.
struct PlacedMessage {
  ThreadMessage message;
  int64_t parent = -1;
};

// What a person changes; what is absent stays.
struct ThreadChange {
  std::optional<std::string> title = {}, folder = {}, draft = {}, leaf = {};
  std::optional<bool> pinned = {}, archived = {};
  std::optional<json::object> settings = {};
  bool automatic_title = false;  // the title only where nobody has given one
};

struct ThreadFilter {
  std::string words = {};  // in titles and messages, each one's beginning; "": every conversation
  bool archived = false;
  int64_t limit = kMaxPageItems;
};

json::object to_json_object(const ThreadMessage& message);

// Every function takes the owner and finds only what is his. Safe from several threads. What is
// returned of a conversation is what the interface shows: docs/app.md.
class ThreadStore {
 public:
  explicit ThreadStore(HistoryDatabase& database);

  json::object create(const std::string& owner, const ThreadChange& change, int64_t now_ms);
  // Pinned ones first, then what changed last.
  json::array list(const std::string& owner, const ThreadFilter& filter);
  std::optional<json::object> find(const std::string& owner, const std::string& id);
  std::optional<json::object> change(const std::string& owner, const std::string& id,
                                     const ThreadChange& change, int64_t now_ms);
  bool remove(const std::string& owner, const std::string& id);

  std::vector<ThreadMessage> messages(const std::string& owner, const std::string& id);
  // From the first message to this one. Error{not_found}: the conversation has no such message.
  std::vector<ThreadMessage> path(const std::string& owner, const std::string& id,
                                  const std::string& message);
  // Gives it an id and makes it the one that is shown. Error{not_found}: no such conversation or
  // parent; resource_exhausted: it is full.
  ThreadMessage add(const std::string& owner, const std::string& id, ThreadMessage message,
                    int64_t now_ms);
  // All of them in one transaction, or, with the errors of add(), none.
  void add_all(const std::string& owner, const std::string& id, std::vector<PlacedMessage> messages,
               int64_t now_ms);
  // Its status, text, reasoning and data. The conversation has changed where the message is no
  // longer "working": who missed it sees that by `updated`. False: it is no longer there.
  bool update(const std::string& owner, const std::string& id, const ThreadMessage& message,
              int64_t now_ms);

  // Marks what was under way when the server ended. Only for who knows that no other server works
  // on the same database. Returns how many.
  int64_t close_unfinished();

 private:
  std::optional<json::object> find_locked(const std::string& owner, const std::string& id);
  void change_locked(const std::string& owner, const std::string& id, const ThreadChange& change,
                     int64_t now_ms);
  void check_room(const std::string& owner, const std::string& id,
                  std::span<const PlacedMessage> added);
  void insert_locked(const std::string& owner, const std::string& id, const ThreadMessage& message);

  HistoryDatabase& database_;
};

Error thread_not_found(std::string_view id);

}  // namespace strata::api
