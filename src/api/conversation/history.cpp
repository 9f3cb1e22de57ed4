#include "api/conversation/history.h"

#include "core/log.h"

namespace strata::api {

History::History(const std::filesystem::path& path)
    : database_(path),
      conversations(database_),
      responses(database_),
      chats(database_),
      threads(database_),
      votes(database_),
      shares(database_) {
  // Held as long as this server lives: another one on the same database leaves its answers alone.
  only_server_ = FileLock::attempt(path.string() + ".server", FileLock::Kind::exclusive);
  if (!only_server_) return;
  const int64_t n =
      threads.close_unfinished() +
      responses.close_unfinished(
          {{"code", "server_error"},
           {"message", "the server ended before the answer was whole; what it had is kept"}});
  if (n > 0) log_info("{} answers that an earlier server left unfinished are marked so", n);
}

}  // namespace strata::api
