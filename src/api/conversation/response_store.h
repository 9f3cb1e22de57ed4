// Responses with what they were asked and what they answered, as rows of the store's database. An
// answer is written in steps while it grows: what a crash leaves is marked by close_unfinished().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/conversation/page.h"
#include "core/error.h"

namespace strata::api {

constexpr int32_t kMaxChain = 1000;             // responses that one goes on from
constexpr int64_t kMaxChainBytes = 64 << 20;    // of all their items
constexpr std::string_view kQueued = "queued";  // status
constexpr std::string_view kInProgress = "in_progress";

struct ResponseRow {
  std::string id;
  int64_t created = 0;  // seconds since 1970
  std::string status;
  std::string previous = {};  // the response that it goes on from; "": none
  bool in_conversation = false;
  bool background = false;
  bool streamed = false;  // its events are kept
  json::object data;      // as it is answered, without "output"
};

struct ResponseEvent {
  int64_t sequence = 0;
  std::string text;  // as it is sent
};

// What has been answered since the last step.
struct ResponseStep {
  int64_t first_item = 0;  // output items from this one on are new or have grown
  json::array items = {};
  std::vector<ResponseEvent> events = {};
};

// Every function takes the owner and finds only what is his. Safe from several threads.
class ResponseStore {
 public:
  explicit ResponseStore(HistoryDatabase& database);

  // `request`: as it was sent, without its input.
  void create(const std::string& owner, const ResponseRow& row, const json::array& input,
              const std::string& request);
  // Both: false when the response is no longer there.
  bool add(const std::string& owner, const std::string& id, const ResponseStep& step);
  bool finish(const std::string& owner, const std::string& id, const std::string& status,
              const json::object& data, const ResponseStep& step);
  bool remove(const std::string& owner, const std::string& id);

  std::optional<ResponseRow> find(const std::string& owner, const std::string& id);
  json::array output(const std::string& owner, const std::string& id);
  Page input_page(const std::string& owner, const std::string& id, const PageRequest& request);
  // In order, from the first whose sequence number is above `after`.
  std::vector<ResponseEvent> events(const std::string& owner, const std::string& id, int64_t after);
  // The input and output of the whole chain that ends with this response, oldest first.
  // Errors: not_found with the id of a link that is not there; failed_precondition of one that is
  // not finished or belongs to a conversation; resource_exhausted beyond the limits above.
  json::array chain(const std::string& owner, const std::string& id);
  // The item of any response of the owner.
  std::optional<json::object> any_item(const std::string& owner, const std::string& item_id);

  // Those made before this time that are not under way, at most so many. Returns how many.
  int64_t remove_before(int64_t time_s, int64_t at_most);

  // Marks what was under way when the server ended: failed with this error, its items incomplete.
  // Only for who knows that no other server works on the same database. Returns how many.
  int64_t close_unfinished(const json::object& error);

 private:
  std::optional<ResponseRow> find_locked(const std::string& owner, const std::string& id);
  void write_step(const std::string& owner, const std::string& id, const ResponseStep& step);

  HistoryDatabase& database_;
};

Error response_not_found(std::string_view id);

}  // namespace strata::api
