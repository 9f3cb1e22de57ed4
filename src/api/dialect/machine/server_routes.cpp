// How the server did over the last hour, and the last lines of its log.
#include "api/dialect/machine/machine.h"
#include "api/metrics_history.h"
#include "core/recent_log.h"
#include "core/utf8.h"

namespace strata::api::machine {
namespace {

constexpr uint64_t kUsualLogLines = 200;

// Columns: an hour of rows would name every field 720 times.
void show_history(const Services& services, Exchange& exchange) {
  json::array time, tokens, requests, running, waiting, memory;
  if (services.metrics_history) {
    for (const HistoryPoint& point : services.metrics_history->points()) {
      time.emplace_back(point.time_ms);
      tokens.emplace_back(point.tokens_per_second);
      requests.emplace_back(point.requests);
      running.emplace_back(point.running);
      waiting.emplace_back(point.waiting);
      memory.emplace_back(point.memory_bytes);
    }
  }
  respond_json(exchange, json::object{{"step_ms", kHistoryStepMs},
                                      {"time_ms", std::move(time)},
                                      {"tokens_per_second", std::move(tokens)},
                                      {"requests", std::move(requests)},
                                      {"running", std::move(running)},
                                      {"waiting", std::move(waiting)},
                                      {"memory_bytes", std::move(memory)}});
}

void show_log(const Services& services, Exchange& exchange) {
  const uint64_t most = query_number(exchange, "limit", 1, kRecentLogLines, kUsualLogLines);
  if (!services.keys_manageable) {
    throw Error(Code::permission_denied,
                "this server asks for no key and is open to other machines: who calls is not known",
                "read the log on its machine, or start it with --require-key");
  }
  json::array lines;
  for (const RecentLine& line : recent_log(most)) {
    lines.push_back(json::object{{"time", line.time},
                                 {"level", log_level_name(line.level)},
                                 {"text", repair_utf8(line.text)}});
  }
  respond_json(exchange, json::object{{"data", std::move(lines)}});
}

}  // namespace

void add_server_routes(RouteTable& table, const Services& services) {
  add_route(table, services, "GET", "/api/v1/metrics/history", Scope::metrics, 0, show_history);
  add_route(table, services, "GET", "/api/v1/logs", Scope::admin, 0, show_log);
}

}  // namespace strata::api::machine
