#include "api/conversation/history.h"

#include "api/only_server.h"
#include "core/log.h"

namespace strata::api {

History::History(const std::filesystem::path& path, const KeepLimits& limits)
    : database_(path, limits),
      conversations(database_),
      responses(database_),
      chats(database_),
      threads(database_),
      votes(database_),
      shares(database_) {
  // Held as long as this server lives: another one on the same database leaves its answers alone.
  only_server_ = only_server(path.string() + ".server");
  if (!only_server_) return;
  const int64_t n =
      threads.close_unfinished() +
      responses.close_unfinished(
          {{"code", "server_error"},
           {"message", "the server ended before the answer was whole; what it had is kept"}});
  if (n > 0) log_info("{} answers that an earlier server left unfinished are marked so", n);
}

void History::expire(int64_t now_s) {
  constexpr int64_t kDayS = 86'400, kPauseS = 3600;
  const int64_t days = database_.limits.days;
  if (days == 0 || now_s < next_expiry_s_) return;
  next_expiry_s_ = now_s + kPauseS;
  const int64_t before_s = now_s - days * kDayS;
  const int64_t n_responses = responses.remove_before(before_s, kMaxExpired);
  const int64_t n_chats = chats.remove_before(before_s, kMaxExpired);
  if (n_responses + n_chats > 0) {
    log_info("{} responses and {} stored chats are over {} days old and were deleted", n_responses,
             n_chats, days);
  }
  if (n_responses == kMaxExpired || n_chats == kMaxExpired) next_expiry_s_ = now_s;
}

}  // namespace strata::api
