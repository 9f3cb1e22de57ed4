// /v1beta over a real socket, answered by the scripted backend.
#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/dialect/gemini/gemini.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::kNowMs;
using testing::Reply;
using testing::Running;

ScriptedOptions script() {
  return parse_script(R"({"models": [{"name": "echo"}, {"name": "agent:1b", "rules": [
    {"contains": "weather", "role": "user", "reasoning": "A tool knows.", "reply": "Let me look.",
     "calls": [{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "clock"}]},
    {"role": "tool", "reply": "It is {message}."},
    {"contains": "break", "reply": "one two three four", "fail_after": 2}]}]})");
}

constexpr auto kTools =
    R"("tools":[{"functionDeclarations":[{"name":"weather"},{"name":"clock"}]}])";

class GeminiGenerate : public ::testing::Test {
 protected:
  Reply post(const std::string& call, const std::string& body) const {
    return fetch(running_.port(), "POST", "/v1beta/models/" + call, body);
  }
  json::value whole(const std::string& model, const std::string& rest) const {
    const Reply reply = post(model + ":generateContent", "{" + rest + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  }
  Running running_{script()};
};

std::string user(std::string_view text) {
  return fmt::format(R"("contents":[{{"role":"user","parts":[{{"text":"{}"}}]}}])", text);
}

TEST_F(GeminiGenerate, AMethodThatIsNotThereIsToldWhichOnesAre) {
  const Reply reply = post("echo:sing", "{}");
  EXPECT_EQ(reply.status, 404);
  EXPECT_NE(reply.body.find("the methods are generateContent, streamGenerateContent, countTokens, "
                            "embedContent, batchEmbedContents"),
            std::string::npos)
      << reply.body;
}

// The parts of all chunks of a stream; texts that follow each other as one.
json::array parts_of(const json::array& chunks) {
  json::array parts;
  for (const json::value& chunk : chunks) {
    for (const json::value& part :
         chunk.at("candidates").at(0).at("content").at("parts").as_array()) {
      const json::object& object = part.as_object();
      const bool follows =
          !parts.empty() && object.contains("text") && parts.back().as_object().contains("text") &&
          object.contains("thought") == parts.back().as_object().contains("thought");
      if (object.contains("text") && object.at("text").as_string().empty()) continue;
      if (!follows) {
        parts.push_back(part);
        continue;
      }
      parts.back().as_object()["text"].as_string() += object.at("text").as_string();
    }
  }
  return parts;
}

json::array events_of(std::string_view body) {
  json::array events;
  for (size_t at = 0; (at = body.find("data: ", at)) != std::string_view::npos; at += 6) {
    const size_t end = body.find("\r\n\r\n", at);
    events.push_back(parse_json(body.substr(at + 6, end - at - 6)));
  }
  return events;
}

TEST_F(GeminiGenerate, AWholeAnswerHasACandidateAndFigures) {
  const json::value answer = whole("echo", user("Hello there"));
  const json::value& candidate = answer.at("candidates").at(0);
  EXPECT_EQ(to_json(candidate.at("content")),
            R"({"parts":[{"text":"Hello there"}],"role":"model"})");
  EXPECT_EQ(candidate.at("finishReason"), "STOP");
  EXPECT_EQ(answer.at("modelVersion"), "echo");
  const json::value& usage = answer.at("usageMetadata");
  EXPECT_EQ(usage.at("promptTokenCount"), 3);
  EXPECT_EQ(usage.at("candidatesTokenCount"), 2);
  EXPECT_EQ(usage.at("totalTokenCount"), 5);
}

TEST_F(GeminiGenerate, BothKindsOfStreamSayWhatAWholeAnswerSays) {
  const std::string rest = user("the weather?") + "," + kTools +
                           R"(,"generationConfig":{"thinkingConfig":{"includeThoughts":true}})";
  const json::value answer = whole("agent:1b", rest);
  const json::array parts = answer.at("candidates").at(0).at("content").at("parts").as_array();
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].at("thought"), true);
  EXPECT_EQ(parts[1].at("text"), "Let me look.");
  EXPECT_EQ(to_json(parts[2].at("functionCall").at("args")), R"({"city":"Oslo"})");
  EXPECT_EQ(answer.at("usageMetadata").at("thoughtsTokenCount"), 4);

  const Reply events = post("agent:1b:streamGenerateContent?alt=sse", "{" + rest + "}");
  EXPECT_EQ(events.headers.at("content-type"), "text/event-stream");
  const json::array chunks = events_of(events.body);
  EXPECT_GT(chunks.size(), 4u);
  EXPECT_EQ(to_json(parts_of(chunks)), to_json(parts));
  EXPECT_EQ(chunks.back().at("usageMetadata"), answer.at("usageMetadata"));
  EXPECT_EQ(chunks.back().at("candidates").at(0).at("finishReason"), "STOP");

  const Reply array = post("agent:1b:streamGenerateContent", "{" + rest + "}");
  EXPECT_EQ(array.headers.at("content-type"), "application/json");
  EXPECT_EQ(to_json(parts_of(parse_json(array.body).as_array())), to_json(parts));
}

TEST_F(GeminiGenerate, ThoughtsAreShownOnlyWhereTheyAreAskedFor) {
  const json::value answer = whole("agent:1b", user("the weather?") + "," + kTools);
  const json::value& first = answer.at("candidates").at(0).at("content").at("parts").at(0);
  EXPECT_EQ(first.at("text"), "Let me look.");
  EXPECT_EQ(answer.at("usageMetadata").at("thoughtsTokenCount"), 4);  // they were paid for
}

TEST_F(GeminiGenerate, AFunctionsResultBelongsToTheCallOfItsName) {
  const auto answer = whole("agent:1b", std::string(R"("contents":[
      {"role":"user","parts":[{"text":"q"}]},
      {"role":"model","parts":[{"functionCall":{"name":"clock"}},
                               {"functionCall":{"name":"weather","args":{}}}]},
      {"role":"user","parts":[{"functionResponse":{"name":"clock","response":{"at":"noon"}}},
                              {"functionResponse":{"name":"weather",
                                   "response":{"sky":"grey"}}}]}],)") +
                                            kTools);
  EXPECT_EQ(answer.at("candidates").at(0).at("content").at("parts").at(0).at("text"),
            R"(It is {"sky":"grey"}.)");
}

TEST_F(GeminiGenerate, SeveralCandidatesAndTheirLogprobs) {
  const json::value answer = whole(
      "echo", user("a b") + R"(,"generation_config":{"candidate_count":2,"responseLogprobs":true,)"
                            R"("logprobs":2})");
  ASSERT_EQ(answer.at("candidates").as_array().size(), 2u);
  const json::value& second = answer.at("candidates").at(1);
  EXPECT_EQ(second.at("index"), 1);
  const json::value& logprobs = second.at("logprobsResult");
  EXPECT_EQ(logprobs.at("chosenCandidates").as_array().size(), 2u);
  EXPECT_EQ(logprobs.at("topCandidates").at(0).at("candidates").as_array().size(), 2u);
  EXPECT_LT(second.at("avgLogprobs").as_double(), 0);
}

TEST_F(GeminiGenerate, TokensAreCountedAsAnAnswerCountsThem) {
  const Reply counted = post("echo:countTokens", "{" + user("Hello there") + "}");
  EXPECT_EQ(parse_json(counted.body).at("totalTokens"), 3);
  const Reply wrapped =
      post("echo:countTokens", R"({"generateContentRequest":{"model":"models/echo",)" +
                                   user("Hello there") +
                                   R"(,"systemInstruction":{"parts":[{"text":"Be kind"}]}}})");
  EXPECT_EQ(parse_json(wrapped.body).at("totalTokens"), 6);
}

TEST_F(GeminiGenerate, ErrorsHaveGooglesShape) {
  const Reply wrong =
      post("echo:generateContent", "{" + user("x") + R"(,"generationConfig":{"temperature":9}})");
  EXPECT_EQ(wrong.status, 400);
  const json::value error = parse_json(wrong.body).at("error");
  EXPECT_EQ(error.at("code"), 400);
  EXPECT_EQ(error.at("status"), "INVALID_ARGUMENT");
  EXPECT_EQ(error.at("details").at(0).at("fieldViolations").at(0).at("field"),
            "generationConfig.temperature");
  EXPECT_EQ(post("absent:generateContent", "{" + user("x") + "}").status, 404);
  EXPECT_EQ(post("echo:paint", "{}").status, 404);
  EXPECT_EQ(
      parse_json(fetch(running_.port(), "GET", "/v1beta/elsewhere").body).at("error").at("status"),
      "NOT_FOUND");
  const json::array broken =
      events_of(post("agent:1b:streamGenerateContent?alt=sse", "{" + user("break") + "}").body);
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken.back().at("error").at("status"), "INTERNAL");
}

TEST_F(GeminiGenerate, WhatModelsCannotReadIsRefusedByItsName) {
  for (const std::string part :
       {R"({"inlineData":{"mimeType":"image/png","data":"AA=="}})",
        R"({"fileData":{"fileUri":"gs://x"}})", R"({"executableCode":{"code":"1"}})"}) {
    const Reply reply = post("echo:generateContent", R"({"contents":[{"parts":[)" + part + "]}]}");
    EXPECT_EQ(reply.status, 400) << part;
    EXPECT_NE(reply.body.find("contents[0].parts[0]"), std::string::npos) << reply.body;
  }
  const Reply search =
      post("echo:generateContent", "{" + user("x") + R"(,"tools":[{"googleSearch":{}}]})");
  EXPECT_NE(search.body.find("tools[0].googleSearch"), std::string::npos) << search.body;
}

TEST_F(GeminiGenerate, ModelsAreListedInPages) {
  const Reply first = fetch(running_.port(), "GET", "/v1beta/models?pageSize=1");
  const json::value page = parse_json(first.body);
  EXPECT_EQ(page.at("models").at(0).at("name"), "models/agent:1b");
  const Reply next = fetch(
      running_.port(), "GET",
      "/v1beta/models?pageSize=1&pageToken=" + std::string(page.at("nextPageToken").as_string()));
  EXPECT_EQ(parse_json(next.body).at("models").at(0).at("name"), "models/echo");
  EXPECT_FALSE(parse_json(next.body).as_object().contains("nextPageToken"));
  const Reply one = fetch(running_.port(), "GET", "/v1beta/models/echo");
  EXPECT_EQ(parse_json(one.body).at("inputTokenLimit"), 4096);
  EXPECT_EQ(fetch(running_.port(), "GET", "/v1beta/models/absent").status, 404);
}

TEST(GeminiKeys, AKeyMayStandInTheQueryOfTheseRoutesOnly) {
  KeyStore keys(":memory:");
  const auto key = keys.create("k", {Scope::inference}, std::nullopt, kNowMs / 1000);
  ServerOptions options;
  options.require_key = true;
  Running running(script(), options, &keys);
  const auto status = [&](const std::string& path, const std::string& headers = {}) {
    return fetch(running.port(), "GET", path, {}, headers).status;
  };
  EXPECT_EQ(status("/v1beta/models"), 401);
  EXPECT_EQ(status("/v1beta/models?key=" + key.secret), 200);
  EXPECT_EQ(status("/v1beta/models?key=sk-strata-other"), 401);
  EXPECT_EQ(status("/v1beta/models", "x-goog-api-key: " + key.secret + "\r\n"), 200);
  EXPECT_EQ(status("/v1beta/models?key=" + key.secret, "x-goog-api-key: " + key.secret + "\r\n"),
            200);
  EXPECT_EQ(status("/v1beta/models?key=sk-strata-other", "x-goog-api-key: " + key.secret + "\r\n"),
            401);
  EXPECT_EQ(status("/v1/models?key=" + key.secret), 401);
}

// Google's own client says /v1 unless it is told otherwise.
TEST_F(GeminiGenerate, IsThereBelowV1Too) {
  const Reply reply = fetch(running_.port(), "POST", "/v1/models/echo:generateContent",
                            "{" + user("Hello there") + "}");
  EXPECT_EQ(parse_json(reply.body).at("modelVersion"), "echo");
  const auto models = [&](std::string_view headers) {
    return parse_json(fetch(running_.port(), "GET", "/v1/models", {}, headers).body).as_object();
  };
  EXPECT_TRUE(models("x-goog-api-key: none\r\n").contains("models"));
  EXPECT_TRUE(models("").contains("object"));  // OpenAI's
}

// LiteLLM puts no version behind the address that it is given.
TEST_F(GeminiGenerate, IsThereWithoutAVersionToo) {
  const auto asked = [&](const std::string& call, const std::string& body) {
    const Reply reply = fetch(running_.port(), "POST", "/models/" + call, "{" + body + "}");
    return parse_json(reply.body).as_object();
  };
  EXPECT_EQ(asked("echo:generateContent", user("Hello there")).at("modelVersion"), "echo");
  EXPECT_TRUE(asked("echo:countTokens", user("Hello there")).contains("totalTokens"));
  const Reply streamed =
      fetch(running_.port(), "POST", "/models/echo:streamGenerateContent?alt=sse",
            "{" + user("Hello there") + "}");
  EXPECT_FALSE(events_of(streamed.body).empty()) << streamed.body;
  // Errors have Google's shape.
  for (const std::string call :
       {"echo:embedContent", "echo:batchEmbedContents", "me/absent:tag:generateContent"}) {
    EXPECT_TRUE(asked(call, "").at("error").as_object().contains("status")) << call;
  }
  EXPECT_TRUE(asked("echo", R"("contents":1)").at("error").is_string());  // Hugging Face's
}

TEST(GeminiSchema, PropertiesStandInTheOrderThatIsAskedFor) {
  const auto read = [](const std::string& order) {
    return to_json(gemini::json_schema(
        parse_json(R"({"type":"OBJECT","properties":{"a":{},"b":{},"c":{},"d":{}},)" + order + "}"),
        "schema"));
  };
  for (const std::string key : {"propertyOrdering", "property_ordering"}) {
    EXPECT_EQ(read("\"" + key + R"(":["c","a"])"),
              R"({"type":"object","properties":{"c":{},"a":{},"b":{},"d":{}}})");
    try {
      read("\"" + key + R"(":["c","x"])");
      ADD_FAILURE() << "x is no property";
    } catch (const FieldError& error) {
      EXPECT_EQ(error.field(), "schema." + key + "[1]");
    }
  }
  EXPECT_THROW(gemini::json_schema(parse_json(R"({"propertyOrdering":["a"]})"), "s"), FieldError);
}

}  // namespace
}  // namespace strata::api
