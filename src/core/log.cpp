#include "core/log.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <mutex>
#include <string>

#include "core/error.h"
#include "core/recent_log.h"
#include "core/secrets.h"

namespace strata {
namespace {

std::atomic<LogLevel> level_now{LogLevel::warn};
std::atomic<LogLevel> kept_level{LogLevel::off};
std::mutex recent_mutex;
std::deque<RecentLine> recent;
constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warn", "error", "off"};

std::string timestamp() {
  using std::chrono::system_clock;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
}

void keep(LogLevel level, std::string time, std::string_view message) {
  std::string text(message.substr(0, kRecentLogLineBytes));
  if (message.size() > kRecentLogLineBytes) text += "…";
  const std::lock_guard lock(recent_mutex);
  recent.push_back({std::move(time), level, std::move(text)});
  if (recent.size() > kRecentLogLines) recent.pop_front();
}

}  // namespace

void keep_recent_log(LogLevel level) {
  kept_level = level;
  const std::lock_guard lock(recent_mutex);
  if (level == LogLevel::off) recent.clear();
}

std::vector<RecentLine> recent_log(size_t most) {
  const std::lock_guard lock(recent_mutex);
  const size_t n = std::min(most, recent.size());
  return {recent.end() - static_cast<ptrdiff_t>(n), recent.end()};
}

std::string_view log_level_name(LogLevel level) {
  return kNames[static_cast<size_t>(level)];
}

void set_log_level(LogLevel level) {
  level_now = level;
}

LogLevel log_level() {
  return std::min(level_now.load(), kept_level.load());
}

LogLevel parse_log_level(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<LogLevel>(i);
  }
  throw Error(Code::invalid_argument, fmt::format("unknown log level '{}'", text),
              "use debug, info, warn, error or off");
}

void log_line(LogLevel level, std::string_view message) {
  const std::string time = timestamp();
  std::string line =
      fmt::format("{} {:5} {}\n", time, log_level_name(level), mask_secrets(message));
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    if (static_cast<unsigned char>(line[i]) < 0x20) line[i] = ' ';  // one event stays one line
  }
  const std::string_view text = std::string_view(line).substr(time.size() + 7);
  if (level >= kept_level) keep(level, time, text.substr(0, text.size() - 1));
  if (level < level_now) return;
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace strata
