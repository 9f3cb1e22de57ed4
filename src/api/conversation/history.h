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

class History {
 public:
  // Opens or makes the database. The first server of a database marks what an earlier one left
  // unfinished. Errors: those of Database::open.
  explicit History(const std::filesystem::path& path);

 private:
  HistoryDatabase database_;
  std::optional<FileLock> only_server_;

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
