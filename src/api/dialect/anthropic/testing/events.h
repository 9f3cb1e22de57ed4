// For tests: the events of a stream, by name.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace strata::api::testing {

struct SseEvent {
  std::string name;
  json::value data;
};

inline std::vector<SseEvent> events_of(std::string_view body) {
  std::vector<SseEvent> events;
  std::string name;
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    if (line.starts_with("event: ")) name = line.substr(7);
    if (line.starts_with("data: ")) events.push_back({name, parse_json(line.substr(6))});
  }
  return events;
}

}  // namespace strata::api::testing
