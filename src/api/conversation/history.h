// Everything that is kept of conversations: one database, a table owner each.
#pragma once

#include <filesystem>
#include <optional>

#include "api/conversation/chat_store.h"
#include "api/conversation/conversation_store.h"
#include "api/conversation/response_store.h"
#include "api/conversation/share_store.h"
#include "api/conversation/thread_feed.h"
#include "api/conversation/thread_store.h"
#include "api/conversation/vote_store.h"
#include "core/os.h"

namespace strata::api {

constexpr int64_t kMaxExpired = 1000;       // deleted at once: some milliseconds
constexpr int64_t kExpiryPauseMs = 60'000;  // between two looks for what has expired

class History {
 public:
  // Opens or makes the database. The first server of a database marks what an earlier one left
  // unfinished. Errors: those of Database::open.
  explicit History(const std::filesystem::path& path, const KeepLimits& limits = {});

  // Deletes responses and stored chats that are older than the limits say, but for what is under
  // way: at most kMaxExpired of each, and only when the last time was an hour ago or had no end.
  // To be called again and again, by one thread.
  void expire(int64_t now_s);

 private:
  HistoryDatabase database_;
  std::optional<FileLock> only_server_;
  int64_t next_expiry_s_ = 0;

 public:
  ConversationStore conversations;
  ResponseStore responses;
  ChatStore chats;
  ThreadStore threads;
  VoteStore votes;
  ThreadFeed feed;    // of threads and votes
  ShareStore shares;  // of the threads, whose table it names
};

}  // namespace strata::api
