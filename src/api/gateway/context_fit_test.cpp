// Conversations that do not fit, over HTTP: how each interface asks for a policy and tells what it
// did.
#include "api/gateway/context_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/conversation/history.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using ::testing::HasSubstr;

constexpr int32_t kPositions = 256;

ScriptedOptions small_model() {
  ScriptedOptions options;
  options.models.push_back({.name = "small",
                            .context = kPositions,
                            .rules = {{.contains = "Summarise it", .reply = "they counted"}}});
  return options;
}

class ContextFitServed : public ::testing::Test {
 protected:
  ContextFitServed() : running_(small_model(), {}, nullptr, nullptr, nullptr, &history_) {}

  testing::Reply post(const std::string& path, const std::string& body,
                      const std::string& headers = {}) const {
    return testing::fetch(running_.port(), "POST", path, body, headers);
  }

  static std::string turns(int n, const char* answerer = "assistant",
                           const char* text = "content") {
    std::string all;
    for (int i = 0; i < n; ++i) {
      all += fmt::format(R"({{"role":"user","{0}":"question {1} of mine"}},)"
                         R"({{"role":"{2}","{0}":"answer {1} of yours"}},)",
                         text, i, answerer);
    }
    return all + fmt::format(R"({{"role":"user","{}":"the last"}})", text);
  }
  static std::string chat(int n, const std::string& more) {
    return R"({"model":"small","messages":[{"role":"system","content":"Be brief."},)" + turns(n) +
           "]" + more + "}";
  }

  strata::testing::TempFolder folder_;
  History history_{folder_.path() / "history.db"};
  testing::Running running_;
};

void expect_told(const testing::Reply& reply, const json::value& told, std::string_view policy) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.headers.at("x-strata-notice"), HasSubstr("older messages"));
  EXPECT_EQ(told.at("policy"), json::string(policy));
  EXPECT_GT(told.at("dropped_messages").as_int64(), 0);
  EXPECT_GT(told.at("dropped_tokens").as_int64(), 0);
}

TEST_F(ContextFitServed, WithoutAPolicyThePromptIsRefusedWithTheNumbers) {
  const auto reply = post("/v1/chat/completions", chat(40, R"(,"max_tokens":9)"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("limit 256 (one is kept for the answer, 9 are asked for)"));
}

TEST_F(ContextFitServed, OpenAisChatTakesAFieldOrTheHeader) {
  const auto by_field = post("/v1/chat/completions", chat(40, R"(,"context_policy":"truncate")"));
  const json::value body = parse_json(by_field.body);
  expect_told(by_field, body.at("strata").at("context"), "truncate");
  EXPECT_LT(body.at("usage").at("prompt_tokens").as_int64(), kPositions);
  EXPECT_EQ(body.at("choices").at(0).at("message").at("content"), "the last");
  const auto by_header =
      post("/v1/chat/completions", chat(40, ""), "x-strata-context-policy: truncate\r\n");
  EXPECT_EQ(parse_json(by_header.body).at("strata"), body.at("strata"));
  EXPECT_EQ(post("/v1/chat/completions", chat(40, R"(,"context_policy":"error")"),
                 "x-strata-context-policy: truncate\r\n")
                .status,
            400)
      << "the field is said first";
  EXPECT_THAT(post("/v1/chat/completions", chat(1, R"(,"context_policy":"cut")")).body,
              HasSubstr("context_policy must be error, truncate or summarise"));
  EXPECT_EQ(post("/v1/chat/completions", chat(1, ""), "x-strata-context-policy: cut\r\n").status,
            400);
  EXPECT_FALSE(
      parse_json(post("/v1/chat/completions", chat(1, "")).body).as_object().contains("strata"));
}

TEST_F(ContextFitServed, WhatIsLeftOutStaysTheSameForSomeRequests) {
  std::vector<int64_t> dropped;
  for (int n = 40; n < 60; ++n) {
    const auto body =
        parse_json(post("/v1/chat/completions", chat(n, R"(,"context_policy":"truncate")")).body);
    dropped.push_back(body.at("strata").at("context").at("dropped_messages").as_int64());
    EXPECT_GT(body.at("usage").at("prompt_tokens").as_int64(), kPositions / 3);
  }
  EXPECT_TRUE(std::ranges::is_sorted(dropped));
  const auto changes = std::ranges::unique(dropped);
  const auto n_kinds = static_cast<int64_t>(dropped.size()) - std::ssize(changes);
  EXPECT_LT(n_kinds, 10) << "of 20 requests: the beginning of most is the one's before";
  EXPECT_GT(n_kinds, 1) << "a conversation that grows leaves more out";
}

TEST_F(ContextFitServed, AStreamTellsTheSame) {
  const std::string asked = R"(,"context_policy":"truncate","stream":true)";
  const auto reply = post("/v1/chat/completions", chat(40, asked));
  EXPECT_THAT(reply.headers.at("x-strata-notice"), HasSubstr("older messages"));
  const std::string first = reply.body.substr(6, reply.body.find("\n\n") - 6);
  const auto whole = post("/v1/chat/completions", chat(40, R"(,"context_policy":"truncate")"));
  EXPECT_EQ(parse_json(first).at("strata"), parse_json(whole.body).at("strata"));
  EXPECT_EQ(reply.body.find("strata", reply.body.find("\n\n")), std::string::npos) << "once";
}

TEST_F(ContextFitServed, OllamasTruncateSaysIt) {
  const auto reply = post("/api/chat", chat(40, R"(,"truncate":true,"stream":false)"));
  expect_told(reply, parse_json(reply.body).at("strata").at("context"), "truncate");
  EXPECT_EQ(post("/api/chat", chat(40, R"(,"truncate":false,"stream":false)"),
                 "x-strata-context-policy: truncate\r\n")
                .status,
            400);
  const auto option =
      post("/api/chat",
           chat(40, R"(,"truncate":true,"stream":false,"options":{"context_policy":"summarise"})"));
  expect_told(option, parse_json(option.body).at("strata").at("context"), "summarise");
}

TEST_F(ContextFitServed, ResponsesTruncationSaysIt) {
  const std::string input = R"({"model":"small","input":[)" + turns(40) + "]";
  const auto reply = post("/v1/responses", input + R"(,"truncation":"auto"})");
  const json::value body = parse_json(reply.body);
  expect_told(reply, body.at("strata").at("context"), "truncate");
  EXPECT_EQ(body.at("truncation"), "auto");
  EXPECT_EQ(post("/v1/responses", input + R"(,"truncation":"disabled"})",
                 "x-strata-context-policy: truncate\r\n")
                .status,
            400);
  const auto kept = testing::fetch(running_.port(), "GET",
                                   "/v1/responses/" + std::string(body.at("id").as_string()));
  EXPECT_EQ(parse_json(kept.body).at("strata"), body.at("strata")) << "the record tells it, too";
}

TEST_F(ContextFitServed, TheHeaderHoldsForAnthropicAndGemini) {
  const std::string policy = "x-strata-context-policy: truncate\r\n";
  const auto message =
      post("/v1/messages", R"({"model":"small","max_tokens":8,"messages":[)" + turns(40) + "]}",
           policy + "anthropic-version: 2023-06-01\r\n");
  expect_told(message, parse_json(message.body).at("strata").at("context"), "truncate");
  std::string contents;
  for (int i = 0; i < 40; ++i) {
    contents += fmt::format(R"({{"role":"user","parts":[{{"text":"question {0} of mine"}}]}},)"
                            R"({{"role":"model","parts":[{{"text":"answer {0} of yours"}}]}},)",
                            i);
  }
  contents += R"({"role":"user","parts":[{"text":"the last"}]})";
  const auto content =
      post("/v1beta/models/small:generateContent", R"({"contents":[)" + contents + "]}", policy);
  expect_told(content, parse_json(content.body).at("strata").at("context"), "truncate");
}

TEST_F(ContextFitServed, ASummaryIsCountedWhereItIsWritten) {
  const std::string asked = R"(,"context_policy":"summarise")";
  const json::value first = parse_json(post("/v1/chat/completions", chat(30, asked)).body);
  const json::value& told = first.at("strata").at("context");
  EXPECT_EQ(told.at("summary_kept"), false);
  EXPECT_EQ(told.at("summary_output_tokens"), 2);
  EXPECT_GT(told.at("summary_input_tokens").as_int64(), 0);
  const json::value second = parse_json(post("/v1/chat/completions", chat(30, asked)).body);
  EXPECT_EQ(second.at("strata").at("context").at("summary_kept"), true);
  const auto difference = [&](const char* what) {
    return first.at("usage").at(what).as_int64() - second.at("usage").at(what).as_int64();
  };
  EXPECT_EQ(difference("prompt_tokens"), told.at("summary_input_tokens").as_int64());
  EXPECT_EQ(difference("completion_tokens"), 2);
}

}  // namespace
}  // namespace strata::api
