// For tests: a server with a history of its own over a scripted model, and its events.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/conversation/history.h"
#include "api/prompt/registry.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api::responses {

constexpr std::string_view kScript = R"({"models": [
  {"name": "demo", "rules": [
    {"contains": "weather", "role": "user", "reasoning": "I have to look.", "reply": "Let me see.",
     "calls": [{"name": "get_weather", "arguments": {"city": "Paris"}},
               {"name": "get_time", "arguments": {}}]},
    {"role": "tool", "reply": "The tool says {message}."},
    {"contains": "think", "reasoning": "first this then that", "reply": "thought"},
    {"contains": "too long", "reply": "cut here", "finish": "length"},
    {"contains": "break", "reply": "one two three", "fail_after": 2, "fail_message": "broken"}]},
  {"name": "slow", "tokens_per_second": 50, "rules": [
    {"reply": "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p"}
  ]},
  {"name": "crawl", "tokens_per_second": 0.5, "rules": [{"reply": "a b c d e f g h i j k l m"}]}
  ]})";

struct SentEvent {
  std::string name;
  json::object data;
};

// Every event has both lines; anything else is a failure.
inline std::vector<SentEvent> events_of(const std::string& body) {
  std::vector<SentEvent> events;
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find("\n\n", at);
    const std::string block = body.substr(at, end - at);
    at = end == std::string::npos ? body.size() : end + 2;
    if (block.starts_with(":")) continue;
    const size_t line = block.find("\ndata: ");
    if (!block.starts_with("event: ") || line == std::string::npos) {
      ADD_FAILURE() << "no event: " << block;
      continue;
    }
    events.push_back({block.substr(7, line - 7), parse_json(block.substr(line + 7)).as_object()});
    EXPECT_EQ(events.back().data.at("type"), json::string(events.back().name));
  }
  return events;
}

inline std::vector<std::string> names_of(const std::vector<SentEvent>& events) {
  std::vector<std::string> names;
  for (const SentEvent& each : events) {
    // A run of deltas is one name.
    if (names.empty() || names.back() != each.name) names.push_back(each.name);
  }
  return names;
}

class Served : public ::testing::Test {
 protected:
  explicit Served(ServerOptions options = {}, KeyChecker* keys = nullptr)
      : running_(parse_script(kScript), std::move(options), keys, nullptr, &prompts_, &history_) {}

  uint16_t port() const { return running_.port(); }

  testing::Reply call(std::string_view method, const std::string& path,
                      const std::string& body = {}, std::string_view headers = {}) const {
    return testing::fetch(port(), method, path, body, headers);
  }
  // The answer of a call that must succeed.
  json::value ok(std::string_view method, const std::string& path, const std::string& body = {},
                 std::string_view headers = {}) const {
    const auto reply = call(method, path, body, headers);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    return reply.status == 200 ? parse_json(reply.body) : json::value(json::object{});
  }
  json::value ask(const std::string& fields, std::string_view headers = {}) const {
    return ok("POST", "/v1/responses", R"({"model":"demo",)" + fields + "}", headers);
  }
  std::vector<SentEvent> stream(const std::string& fields) const {
    const auto reply =
        call("POST", "/v1/responses", R"({"model":"demo","stream":true,)" + fields + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_TRUE(reply.complete);
    return events_of(reply.body);
  }
  static std::string text_of(const json::value& response) {
    std::string text;
    for (const json::value& item : response.at("output").as_array()) {
      if (item.at("type") != "message") continue;
      for (const json::value& part : item.at("content").as_array()) {
        text += std::string(part.at("text").as_string());
      }
    }
    return text;
  }
  static std::string id_of(const json::value& object) {
    return std::string(object.at("id").as_string());
  }

  strata::testing::TempFolder folder_;
  History history_{folder_.path() / "strata.db"};
  PromptRegistry prompts_{folder_.path() / "strata.db"};
  testing::Running running_;
};

}  // namespace strata::api::responses
