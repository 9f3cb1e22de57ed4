// The log's last lines in memory, for whoever may read the server's log from afar: bounded.
// core/log.h writes it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/log.h"

namespace strata {

constexpr size_t kRecentLogLines = 1000;
constexpr size_t kRecentLogLineBytes = 2000;  // longer ones are cut, with an ellipsis

struct RecentLine {
  std::string time;  // "2026-11-24T00:33:00.123Z"
  LogLevel level = LogLevel::info;
  std::string text;
};

// From now on the last lines of that level and above are kept, whatever set_log_level() says of
// stderr. Off (as it is at first) keeps none, and forgets those that there are.
void keep_recent_log(LogLevel level);
std::vector<RecentLine> recent_log(size_t most);  // the newest of them, in their order

std::string_view log_level_name(LogLevel level);

}  // namespace strata
