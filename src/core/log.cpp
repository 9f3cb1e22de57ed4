#include "core/log.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

#include "core/error.h"

namespace strata {
namespace {

std::atomic<LogLevel> level_now{LogLevel::warn};
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

}  // namespace

void set_log_level(LogLevel level) {
  level_now = level;
}

LogLevel log_level() {
  return level_now;
}

LogLevel parse_log_level(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<LogLevel>(i);
  }
  throw Error(Code::invalid_argument, fmt::format("unknown log level '{}'", text),
              "use debug, info, warn, error or off");
}

void log_line(LogLevel level, std::string_view message) {
  std::string line =
      fmt::format("{} {:5} {}\n", timestamp(), kNames[static_cast<size_t>(level)], message);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    if (static_cast<unsigned char>(line[i]) < 0x20) line[i] = ' ';  // one event stays one line
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace strata
