// Bodies of requests to /v1/chat/completions, for tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "api/dialect/openai/openai.h"

namespace strata::api::openai::testing {

inline constexpr std::string_view kTools = R"([
  {"type": "function", "function": {"name": "get_weather", "description": "of a town",
   "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}, "strict": true}},
  {"type": "function", "function": {"name": "get_time"}}])";

inline std::string body_of(std::string_view message, std::string_view more = {}) {
  return fmt::format(R"({{"model": "m", "messages": [{{"role": "user", "content": "{}"}}]{}{}}})",
                     message, more.empty() ? "" : ", ", more);
}

inline std::string with_tools(std::string_view message, std::string_view more = {}) {
  return body_of(message,
                 fmt::format(R"("tools": {}{}{})", kTools, more.empty() ? "" : ", ", more));
}

inline ChatRequest parsed(const std::string& body) {
  return std::move(parse_chat(body).requests.front());
}

}  // namespace strata::api::openai::testing
