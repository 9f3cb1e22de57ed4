#include <gtest/gtest.h>

#include "api/dialect/openai/openai.h"
#include "api/dialect/openai/testing/ask.h"
#include "api/dialect/openai/testing/chat_bodies.h"

namespace strata::api::openai {
namespace {

using api::testing::fetch;
using api::testing::Reply;
using api::testing::Running;
using testing::body_of;
using testing::parsed;
using testing::with_tools;

class Chat : public ::testing::Test {
 protected:
  json::value ask(const std::string& body) const {
    const Reply reply = fetch(running_.port(), "POST", "/v1/chat/completions", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  }
  std::vector<json::value> stream(std::string body) const {
    body.insert(1, R"("stream": true, )");
    const Reply reply = fetch(running_.port(), "POST", "/v1/chat/completions", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
    return testing::chunks_of(reply.body);
  }
  Running running_{testing::thinking_script()};
};

TEST_F(Chat, CallsStandInTheMessageAndItsTextIsNull) {
  const auto answer = ask(with_tools("the weather"));
  const json::object& choice = answer.at("choices").at(0).as_object();
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  const json::object& message = choice.at("message").as_object();
  EXPECT_TRUE(message.at("content").is_null());
  EXPECT_EQ(message.at("reasoning_content"), "Two towns.");
  EXPECT_EQ(message.at("tool_calls"), parse_json(R"([
    {"id": "call_0_0", "type": "function",
     "function": {"name": "get_weather", "arguments": "{\"town\":\"Oslo\"}"}},
    {"id": "call_0_1", "type": "function",
     "function": {"name": "get_weather", "arguments": "{\"town\":\"Bern\"}"}}])"));
  EXPECT_GT(answer.at("usage").at("completion_tokens_details").at("reasoning_tokens").as_int64(),
            0);
}

TEST_F(Chat, TextBeforeACallStays) {
  const auto message = ask(with_tools("both")).at("choices").at(0).at("message");
  EXPECT_EQ(message.at("content"), "I look.");
  EXPECT_EQ(message.at("tool_calls").as_array().size(), 1u);
}

TEST_F(Chat, AToolThatTakesNoObjectIsRefusedByItsPlace) {
  for (const char* type : {R"("string")", R"("array")", R"(["null", "integer"])"}) {
    const std::string tools = fmt::format(
        R"("tools": [{{"type": "function",
             "function": {{"name": "f", "parameters": {{"type": {}}}}}}}],
           "tool_choice": "required")",
        type);
    const Reply reply = fetch(running_.port(), "POST", "/v1/chat/completions", body_of("a", tools));
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(parse_json(reply.body).at("error").at("param"), "tools[0].function.parameters");
  }
}

TEST_F(Chat, CallsAreNotMadeWhereTheyAreForbidden) {
  const auto answer = ask(with_tools("the weather", R"("tool_choice": "none")"));
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_FALSE(answer.at("choices").at(0).at("message").as_object().contains("tool_calls"));
}

// Joined the way clients do: by index; id, type and name come with the first piece only.
TEST_F(Chat, StreamedCallsJoinToTheWholeOnes) {
  json::array calls;
  std::string reasoning, reason;
  const auto chunks = stream(with_tools("the weather"));
  EXPECT_TRUE(chunks.front().at("choices").at(0).at("delta").at("content").is_null());
  for (const json::value& chunk : chunks) {
    const json::object& choice = chunk.at("choices").at(0).as_object();
    const json::object& delta = choice.at("delta").as_object();
    if (const auto* piece = delta.if_contains("reasoning_content")) {
      reasoning += std::string(piece->as_string());
    }
    if (!choice.at("finish_reason").is_null()) reason = choice.at("finish_reason").as_string();
    const auto* pieces = delta.if_contains("tool_calls");
    if (!pieces) continue;
    for (const json::value& piece : pieces->as_array()) {
      const auto index = static_cast<size_t>(piece.at("index").as_int64());
      const bool first = index == calls.size();
      EXPECT_EQ(piece.as_object().contains("id"), first);
      EXPECT_EQ(piece.as_object().contains("type"), first);
      EXPECT_EQ(piece.at("function").as_object().contains("name"), first);
      if (first) {
        calls.push_back(piece);
        calls.back().as_object().erase("index");
      } else {
        auto& arguments = calls[index].at("function").at("arguments").as_string();
        arguments += piece.at("function").at("arguments").as_string();
      }
    }
  }
  const auto whole = ask(with_tools("the weather")).at("choices").at(0);
  EXPECT_EQ(json::value(calls), whole.at("message").at("tool_calls"));
  EXPECT_EQ(reason, "tool_calls");
  EXPECT_EQ(reasoning, "Two towns.");
}

TEST_F(Chat, TheOldFunctionsAreAnsweredInTheirForm) {
  const std::string body =
      body_of("the weather", R"("functions": [{"name": "get_weather", "parameters": {}}])");
  const auto choice = ask(body).at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "function_call");
  EXPECT_EQ(choice.at("message").at("function_call"),
            parse_json(R"({"name": "get_weather", "arguments": "{\"town\":\"Oslo\"}"})"));
  EXPECT_FALSE(choice.at("message").as_object().contains("tool_calls"));
  std::string arguments;
  for (const json::value& chunk : stream(body)) {
    const auto* call =
        chunk.at("choices").at(0).at("delta").as_object().if_contains("function_call");
    if (call) arguments += std::string(call->at("arguments").as_string());
  }
  EXPECT_EQ(arguments, R"({"town":"Oslo"})");
}

TEST_F(Chat, UsageComesLastWhereItIsAskedFor) {
  const auto chunks = stream(body_of("think", R"("stream_options": {"include_usage": true})"));
  for (size_t i = 0; i + 1 < chunks.size(); ++i) EXPECT_TRUE(chunks[i].at("usage").is_null());
  EXPECT_TRUE(chunks.back().at("choices").as_array().empty());
  EXPECT_EQ(chunks.back().at("usage"), ask(body_of("think")).at("usage"));
}

TEST_F(Chat, PaddedChunksHaveLengthsOfWholeSteps) {
  const auto padded =
      stream(body_of("one twooooo", R"("stream_options": {"include_obfuscation": true})"));
  for (const json::value& chunk : padded) {
    const size_t overhead = std::string_view(R"(,"obfuscation":"")").size();
    EXPECT_EQ((to_json(chunk).size() - overhead) % 64, 0u);
  }
  EXPECT_FALSE(stream(body_of("one")).front().as_object().contains("obfuscation"));
}

TEST_F(Chat, ATierIsAPriorityAndIsTold) {
  EXPECT_EQ(ask(body_of("a", R"("service_tier": "flex")")).at("service_tier"), "flex");
  EXPECT_EQ(ask(body_of("a")).at("service_tier"), "default");
  EXPECT_GT(parsed(body_of("a", R"("service_tier": "flex")")).priority, 0);
  EXPECT_LT(parsed(body_of("a", R"("service_tier": "priority")")).priority, 0);
  EXPECT_EQ(parsed(body_of("a", R"("service_tier": "flex", "priority": 3)")).priority, 3);
}

TEST_F(Chat, StrictRefusesWhatWouldBeIgnored) {
  const std::string field = R"("prompt_cache_key": "k")";
  const Reply lax = fetch(running_.port(), "POST", "/v1/chat/completions", body_of("a", field));
  EXPECT_EQ(lax.headers.at("x-strata-ignored"), "prompt_cache_key");
  const std::string strict = body_of("a", field + R"(, "strict": true)");
  const Reply refused = fetch(running_.port(), "POST", "/v1/chat/completions", strict);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(parse_json(refused.body).at("error").at("param"), "prompt_cache_key");
  EXPECT_EQ(ask(body_of("a", R"("strict": true)")).at("object"), "chat.completion");
}

TEST_F(Chat, StrictHoldsInEveryInterface) {
  struct Case {
    const char* path;
    std::string body;
    const char* ignored;
  };
  const std::string messages = R"("messages": [{"role": "user", "content": "a"}], "model": "m")";
  for (const auto& [path, body, ignored] :
       {Case{"/v1/messages", R"("max_tokens": 5, )" + messages, R"("metadata": {"user_id": "u"})"},
        Case{"/completion", R"("model": "m", "prompt": "a")", R"("id_slot": 3)"},
        Case{"/v1/responses", R"("model": "m", "input": "a", "store": false)",
             R"("prompt_cache_key": "k")"},
        Case{"/api/chat", messages, R"("options": {"num_gpu": 1})"}}) {
    const auto status = [&, path = path](const std::string& whole) {
      return fetch(running_.port(), "POST", path, "{" + whole + "}",
                   "anthropic-version: 2023-06-01\r\n");
    };
    EXPECT_EQ(status(body + R"(, "strict": true)").status, 200) << path;
    EXPECT_EQ(status(body + ", " + ignored).status, 200) << path;
    const Reply refused = status(body + ", " + ignored + R"(, "strict": true)");
    EXPECT_EQ(refused.status, 400) << path;
    EXPECT_NE(refused.body.find("strict is true"), std::string::npos) << refused.body;
  }
}

TEST_F(Chat, IsThereWithoutV1Too) {
  const std::string body = body_of("one two", R"("seed": 1)");
  for (const char* path : {"/chat/completions", "/chat/completions/input_tokens"}) {
    const Reply reply = fetch(running_.port(), "POST", path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(fetch(running_.port(), "POST", path, "{}").body,
              fetch(running_.port(), "POST", fmt::format("/v1{}", path), "{}").body);
  }
  const Reply unknown = fetch(running_.port(), "POST", "/chat/completions/a/b", body);
  EXPECT_TRUE(parse_json(unknown.body).at("error").as_object().contains("param"))
      << "an error in this interface's shape";
}

TEST_F(Chat, ItsTokensAreCountedAsLlamacppsClientsAsk) {
  const std::string body = body_of("one two three", R"("max_tokens": 4)");
  const Reply reply = fetch(running_.port(), "POST", "/v1/chat/completions/input_tokens", body);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::value counted = parse_json(reply.body);
  EXPECT_EQ(counted.at("object"), "response.input_tokens");
  EXPECT_EQ(counted.at("input_tokens"), ask(body).at("usage").at("prompt_tokens"));
}

TEST_F(Chat, TimingsComeWithTheAnswerOrItsLastChunkWhereTheyAreAskedFor) {
  const std::string body = body_of("one two three", R"("timings_per_token": true)");
  const auto whole = ask(body);
  const json::value& timings = whole.at("timings");
  EXPECT_EQ(timings.at("predicted_n"), whole.at("usage").at("completion_tokens"));
  EXPECT_EQ(timings.at("prompt_n"), whole.at("usage").at("prompt_tokens"));
  EXPECT_EQ(stream(body).back().at("timings").at("predicted_n"), timings.at("predicted_n"));
  const std::string with_usage = body_of(
      "one two three", R"("timings_per_token": true, "stream_options": {"include_usage": true})");
  EXPECT_TRUE(stream(with_usage).back().as_object().contains("timings"));
  EXPECT_FALSE(ask(body_of("one two three")).as_object().contains("timings"));
}

}  // namespace
}  // namespace strata::api::openai
