// For tests: a server whose one model thinks, speaks and calls by rules, and requests to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"

namespace strata::api::openai::testing {

// "weather" calls get_weather for two towns where it may, "think" thinks first; all else is echoed.
inline ScriptedOptions thinking_script() {
  return parse_script(R"({"models": [{"name": "m", "rules": [
    {"contains": "weather", "reasoning": "Two towns.", "calls": [
      {"name": "get_weather", "arguments": {"town": "Oslo"}},
      {"name": "get_weather", "arguments": {"town": "Bern"}}]},
    {"contains": "both", "reply": "I look.", "calls": [{"name": "get_time"}]},
    {"contains": "think", "reasoning": "Let me see.", "reply": "Done."}]}]})");
}

// The chunks of a stream of server-sent events, without the [DONE] at its end.
inline std::vector<json::value> chunks_of(const std::string& body) {
  std::vector<json::value> chunks;
  for (size_t at = 0; (at = body.find("data: {", at)) != std::string::npos; ++at) {
    const size_t end = body.find("\n\n", at);
    chunks.push_back(parse_json(std::string_view(body).substr(at + 6, end - at - 6)));
  }
  return chunks;
}

}  // namespace strata::api::openai::testing
