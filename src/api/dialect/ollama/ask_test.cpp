// /api/chat and /api/generate over a real socket, answered by the scripted backend.
#include <gtest/gtest.h>

#include "api/dialect/ollama/ollama.h"
#include "api/dialect/ollama/testing/lines.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "models/parameters.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::lines_of;
using testing::Reply;
using testing::Running;
using testing::text_of_lines;

ScriptedOptions script() {
  ScriptedOptions options = default_script();
  ScriptedModel failing;
  failing.name = "failing";
  ScriptedRule& rule = failing.rules.emplace_back();
  rule.reply = "one two three four";
  rule.fail_after = 2;
  rule.fail_message = "the wheel came off";
  options.models.push_back(failing);
  ScriptedModel thinking;
  thinking.name = "thinking";
  ScriptedRule& calling = thinking.rules.emplace_back();
  calling.role = "user";
  calling.reasoning = "two places";
  calling.reply = "I will look.";
  calling.calls = {{"weather", R"({"city":"Bern","days":[1,2]})"}, {"weather", "{}"}};
  ScriptedRule& plain = thinking.rules.emplace_back();
  plain.reasoning = "hm, so";
  plain.reply = "Sunny.";
  options.models.push_back(thinking);
  ScriptedModel beyond;
  beyond.name = "beyond";
  beyond.rules.emplace_back().calls = {{"add", R"({"n":1e400})"}, {"add", R"({"n":1})"}};
  options.models.push_back(beyond);
  return options;
}

class OllamaAsk : public ::testing::Test {
 protected:
  Reply post(const std::string& path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  }
  json::object whole(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body).as_object();
  }
  std::string refusal(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 400) << path << " " << body << " " << reply.body;
    return std::string(parse_json(reply.body).at("error").as_string());
  }
  Running running_{script()};
};

constexpr auto kChat = R"({"model":"echo","messages":[{"role":"user","content":"grüß dich 👋"}])";

TEST_F(OllamaAsk, ChatStreamsLinesUnlessToldOtherwise) {
  const Reply reply = post("/api/chat", std::string(kChat) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("content-type"), "application/x-ndjson");
  const auto lines = lines_of(reply.body);
  ASSERT_GT(lines.size(), 2u);
  EXPECT_EQ(text_of_lines(lines), "grüß dich 👋");
  for (size_t i = 0; i + 1 < lines.size(); ++i) EXPECT_EQ(lines[i].at("done"), false);
  const json::object& last = lines.back();
  EXPECT_EQ(last.at("model"), "echo");
  EXPECT_EQ(last.at("created_at"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(last.at("message").at("role"), "assistant");
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("done_reason"), "stop");
  EXPECT_EQ(last.at("eval_count").as_int64(), static_cast<int64_t>(lines.size()) - 1);
  EXPECT_EQ(last.at("eval_duration").as_int64(), last.at("eval_count").as_int64() * 1'000'000);
  EXPECT_GT(last.at("prompt_eval_count").as_int64(), 0);
  EXPECT_EQ(last.at("total_duration").as_int64(), last.at("load_duration").as_int64() +
                                                      last.at("prompt_eval_duration").as_int64() +
                                                      last.at("eval_duration").as_int64());

  const auto one = whole("/api/chat", std::string(kChat) + R"(,"stream":false})");
  EXPECT_EQ(one.at("message").at("content"), "grüß dich 👋");
  EXPECT_EQ(one.at("eval_count"), last.at("eval_count"));
}

TEST_F(OllamaAsk, GenerateAnswersInResponse) {
  const auto one = whole("/api/generate",
                         R"({"model":"echo:latest","prompt":"a b c","raw":true,"stream":false})");
  EXPECT_EQ(one.at("response"), "a b c");
  EXPECT_EQ(one.at("model"), "echo:latest");
  const auto cut = whole(
      "/api/generate",
      R"({"model":"echo","prompt":"a b c","stream":false,"options":{"num_predict":2,"stop":"x"}})");
  EXPECT_EQ(cut.at("response"), "a b");
  EXPECT_EQ(cut.at("done_reason"), "length");
}

TEST_F(OllamaAsk, TheSeedDecidesAndMinusOneIsADrawnOne) {
  const std::string head = R"({"model":"babble","prompt":"x","stream":false,"options":{"seed":)";
  const auto seven = whole("/api/generate", head + "7}}");
  EXPECT_EQ(whole("/api/generate", head + "7}}").at("response"), seven.at("response"));
  const auto drawn = whole("/api/generate", head + "-1}}");
  EXPECT_NE(whole("/api/generate", head + "-1}}").at("response"), drawn.at("response"));
}

TEST_F(OllamaAsk, NoQuestionLoadsOrUnloads) {
  for (const std::string& stream : {std::string("true"), std::string("false")}) {
    const std::string end = R"("stream":)" + stream + "}";
    const auto load = whole("/api/generate", R"({"model":"echo",)" + end);
    EXPECT_EQ(load.at("done_reason"), "load");
    EXPECT_EQ(load.at("response"), "");
    const auto unload =
        whole("/api/chat", R"({"model":"echo","messages":[],"keep_alive":0,)" + end);
    EXPECT_EQ(unload.at("done_reason"), "unload");
    EXPECT_EQ(unload.at("message").at("content"), "");
  }
  EXPECT_EQ(post("/api/generate", R"({"model":"nobody","keep_alive":0})").status, 404);
}

TEST_F(OllamaAsk, TheTimesAreRealOnes) {
  for (const std::string question : {R"("prompt":"a b",)", ""}) {  // an answer, a model at hand
    const auto one =
        whole("/api/generate", R"({"model":"echo",)" + question + R"("stream":false})");
    const int64_t total_ns = one.at("total_duration").to_number<int64_t>();
    const int64_t load_ns = one.at("load_duration").to_number<int64_t>();
    EXPECT_GT(load_ns, 0);
    EXPECT_GE(total_ns, load_ns);
    EXPECT_TRUE(total_ns % 1'000'000 != 0 || load_ns % 1'000'000 != 0) << total_ns;
  }
}

TEST_F(OllamaAsk, LogprobsComeWithTheirTokens) {
  const auto one = whole(
      "/api/chat", std::string(kChat) + R"(,"stream":false,"logprobs":true,"top_logprobs":2})");
  const auto& first = one.at("logprobs").at(0);
  EXPECT_EQ(first.at("token"), "gr");
  EXPECT_LT(first.at("logprob").as_double(), 0);
  EXPECT_EQ(first.at("bytes").as_array().size(), 2u);
  EXPECT_EQ(first.at("top_logprobs").as_array().size(), 2u);
  EXPECT_FALSE(whole("/api/chat", std::string(kChat) + R"(,"stream":false})").contains("logprobs"));
}

TEST_F(OllamaAsk, TopLogprobsAloneTellNothing) {
  const auto one = whole("/api/chat", std::string(kChat) + R"(,"stream":false,"top_logprobs":2})");
  EXPECT_FALSE(one.contains("logprobs"));
}

TEST_F(OllamaAsk, AnErrorInMidStreamIsOneMoreLine) {
  const Reply reply = post("/api/generate", R"({"model":"failing","prompt":"x"})");
  EXPECT_EQ(reply.status, 200);
  const auto lines = lines_of(reply.body);
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines.back().at("error"), "the wheel came off");
  EXPECT_FALSE(lines.back().contains("done"));
}

TEST_F(OllamaAsk, WhatHasNoEffectIsNamed) {
  const Reply reply =
      post("/api/chat", std::string(kChat) + R"(,"shift":true,"think":false,"format":"",)"
                                             R"("options":{"num_gpu":1,"num_thread":4}})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("x-strata-ignored"), "options.num_gpu, options.num_thread, shift");
}

TEST_F(OllamaAsk, WhatCannotBeHonouredIsRefused) {
  for (const char* field :
       {R"("format":"yaml")", R"("format":[1])", R"("think":"deep")", R"("think":1)",
        R"("tools":[{"type":"function"}])", R"("tools":[{"function":{}}])",
        R"("tools":[{"type":"web","function":{"name":"f"}}])", R"("options":{"mirostat":1})",
        R"("options":{"tfs_z":0.5})", R"("options":{"penalize_newline":false})",
        R"("options":{"no_such_option":1})", R"("options":{"temperature":"hot"})",
        R"("no_such_field":1)", R"("keep_alive":"soon")"}) {
    EXPECT_FALSE(refusal("/api/chat", std::string(kChat) + "," + field + "}").empty());
  }
  const std::string generate = R"({"model":"echo","prompt":"x",)";
  for (const char* field :
       {R"("images":["aGk="])", R"("context":["a"])", R"("context":[-1])", R"("width":64)",
        R"("template":"{% if %}")", R"("raw":true,"system":"s")", R"("suffix":"b","system":"s")",
        R"("suffix":"b","context":[1])"}) {
    EXPECT_FALSE(refusal("/api/generate", generate + field + "}").empty());
  }
  EXPECT_NE(refusal("/api/generate", generate + R"("template":"{{ .Prompt }}"})").find("Jinja"),
            std::string::npos);
  const std::string image =
      R"({"model":"echo","messages":[{"role":"user","content":"x","images":["aGk="]}]})";
  EXPECT_NE(refusal("/api/chat", image).find("messages[0].images"), std::string::npos);
}

// Their names go into the prompt, and say whose call it is.
TEST_F(OllamaAsk, ToolsAreReadAsOfTheOtherInterfaces) {
  const auto refused = [&](const std::string& tools) {
    return refusal("/api/chat", std::string(kChat) + R"(,"tools":[)" + tools + "]}");
  };
  const std::string tool = R"({"function":{"name":"f"}})";
  EXPECT_NE(refused(tool + "," + tool).find("tools[1].function.name is 'f', as that of another"),
            std::string::npos);
  EXPECT_NE(refused(R"({"function":{"name":"f g/<|im_end|>"}})").find("must be letters, digits"),
            std::string::npos);
  EXPECT_NE(refused(R"({"name":"f","input_schema":{}})").find("Anthropic's messages"),
            std::string::npos);
  EXPECT_NE(refused(R"({"function":{"name":"f","nothing":1}})").find("tools[0].function.nothing"),
            std::string::npos);
  for (const std::string& form :
       {tool, std::string(R"({"type":"function","function":{"name":"f","type":"object"}})")}) {
    const auto asked = ollama::parse_chat(std::string(kChat) + R"(,"tools":[)" + form + "]}");
    EXPECT_EQ(to_json(asked.request.conversation.tools),
              R"([{"type":"function","function":{"name":"f"}}])");
  }
}

TEST_F(OllamaAsk, EmptyFieldsAreNoFields) {
  const auto one = whole("/api/generate",
                         R"({"model":"echo","prompt":"x","stream":false,"suffix":"","system":"",)"
                         R"("template":"","context":[],"images":[],"format":null,"options":{}})");
  EXPECT_EQ(one.at("response"), "x");
}

TEST_F(OllamaAsk, APromptThatDoesNotFitIsRefusedWithTheCounts) {
  const std::string body =
      R"({"model":"echo","options":{"num_ctx":8},"messages":[{"role":"system","content":"a b"},)"
      R"({"role":"user","content":"one two three four five six"}]})";
  const std::string error = refusal("/api/chat", body);
  EXPECT_NE(error.find("8"), std::string::npos) << error;
  EXPECT_NE(error.find("system"), std::string::npos) << error;
  EXPECT_NE(error.find("num_ctx"), std::string::npos) << error;
}

TEST_F(OllamaAsk, HistoryWithToolCallsIsRead) {
  const auto one = whole(
      "/api/chat",
      R"({"model":"echo","stream":false,"messages":[{"role":"user","content":"w?"},)"
      R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"f",)"
      R"("arguments":{"city":"Bern"}}}]},{"role":"tool","tool_name":"f","content":"sunny"}]})");
  EXPECT_EQ(one.at("message").at("content"), "sunny");
}

TEST_F(OllamaAsk, OlderClientsNameAToolsResultInName) {
  const auto message = [](const std::string& fields) {
    return ollama::parse_chat(R"({"model":"m","messages":[{"content":"x",)" + fields + "}]}")
        .request.conversation.messages.at(0);
  };
  EXPECT_EQ(message(R"("role":"tool","name":"f")").name, "f");
  EXPECT_EQ(message(R"("role":"tool","name":"f","tool_name":"f")").name, "f");
  EXPECT_THROW(message(R"("role":"tool","name":"f","tool_name":"g")"), FieldError);
  EXPECT_THROW(message(R"("role":"user","name":"f")"), FieldError);
}

TEST_F(OllamaAsk, CaseDoesNotCountInRoles) {
  const auto asked =
      ollama::parse_chat(R"({"model":"m","messages":[{"role":"SYSTEM","content":"s"},)"
                         R"({"role":"User","content":"x"}]})");
  EXPECT_EQ(asked.request.conversation.messages.at(0).role, "system");
  EXPECT_EQ(asked.request.conversation.messages.at(1).role, "user");
  refusal("/api/chat", R"({"model":"echo","messages":[{"role":"users","content":"x"}]})");
}

constexpr auto kAsk =
    R"({"model":"thinking","messages":[{"role":"user","content":"weather?"}],)"
    R"("tools":[{"function":{"name":"weather","parameters":{"type":"object"}}}],"think":true)";

TEST_F(OllamaAsk, ThoughtsAndCallsHaveFieldsOfTheirOwn) {
  const auto one = whole("/api/chat", std::string(kAsk) + R"(,"stream":false})");
  const auto& message = one.at("message");
  EXPECT_EQ(message.at("thinking"), "two places");
  EXPECT_EQ(message.at("content"), "I will look.");
  EXPECT_EQ(one.at("done_reason"), "stop");
  const auto& calls = message.at("tool_calls").as_array();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].at("function").at("name"), "weather");
  EXPECT_EQ(calls[0].at("function").at("arguments"), parse_json(R"({"city":"Bern","days":[1,2]})"));
  EXPECT_EQ(calls[1].at("function").at("index"), 1);
  EXPECT_NE(calls[0].at("id"), calls[1].at("id"));
}

TEST_F(OllamaAsk, AStreamTellsEachCallOnceItIsWhole) {
  const Reply reply = post("/api/chat", std::string(kAsk) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  std::string thinking;
  json::array calls;
  for (const json::object& line : lines_of(reply.body)) {
    const auto& message = line.at("message").as_object();
    if (const auto* piece = message.if_contains("thinking")) thinking += piece->as_string();
    if (const auto* told = message.if_contains("tool_calls")) {
      ASSERT_EQ(told->as_array().size(), 1u);
      calls.push_back(told->as_array().front());
    }
  }
  EXPECT_EQ(thinking, "two places");
  EXPECT_EQ(text_of_lines(lines_of(reply.body)), "I will look.");
  const auto one = whole("/api/chat", std::string(kAsk) + R"(,"stream":false})");
  EXPECT_EQ(calls, one.at("message").at("tool_calls"));
}

TEST_F(OllamaAsk, ACallThatTheLimitCutsIsNotTold) {
  const auto one =
      whole("/api/chat", std::string(kAsk) + R"(,"stream":false,"options":{"num_predict":10}})");
  EXPECT_EQ(one.at("done_reason"), "length");
  EXPECT_FALSE(one.at("message").as_object().contains("tool_calls"));
}

TEST_F(OllamaAsk, ACallWhoseArgumentsCannotBeReadIsToldWithTheirText) {
  const std::string head = R"({"model":"beyond","messages":[{"role":"user","content":"x"}],)"
                           R"("tools":[{"function":{"name":"add"}}])";
  const auto one = whole("/api/chat", head + R"(,"stream":false})");
  const auto& calls = one.at("message").at("tool_calls").as_array();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(to_json(calls[0].at("function").at("arguments")), R"({"unreadable":"{\"n\":1e400}"})");
  EXPECT_EQ(to_json(calls[1].at("function").at("arguments")), R"({"n":1})");
  json::array streamed;
  for (const json::object& line : lines_of(post("/api/chat", head + "}").body)) {
    const auto* told = line.at("message").as_object().if_contains("tool_calls");
    if (told) streamed.push_back(told->as_array().front());
  }
  EXPECT_EQ(streamed, calls);
}

TEST_F(OllamaAsk, GenerateThinksToo) {
  const auto one = whole("/api/generate", R"({"model":"thinking","prompt":"x","stream":false})");
  EXPECT_EQ(one.at("thinking"), "hm, so");
  EXPECT_EQ(one.at("response"), "Sunny.");
}

TEST_F(OllamaAsk, ContextGoesOutAndComesBackInFrontOfThePrompt) {
  const std::string head = R"({"model":"echo","prompt":"a b","stream":false)";
  const auto first = whole("/api/generate", head + "}");
  const auto& context = first.at("context").as_array();
  json::array expected;
  for (const char* token : {"<user>", "a", " b", "a", " b"}) {
    expected.push_back(scripted_id(token));
  }
  EXPECT_EQ(context, expected) << "the prompt's, then the answer's";
  const auto next = whole("/api/generate", head + R"(,"context":)" + to_json(context) + "}");
  EXPECT_EQ(next.at("prompt_eval_count").as_int64(), 3 + 5);
  const Reply streamed = post("/api/generate", R"({"model":"echo","prompt":"a b"})");
  const auto lines = lines_of(streamed.body);
  EXPECT_EQ(lines.back().at("context"), context);
  EXPECT_FALSE(lines.front().contains("context"));
  const auto raw = whole("/api/generate", head + R"(,"raw":true})");
  EXPECT_FALSE(raw.contains("context"));
}

TEST(OllamaWishes, SayWhatTheTextMustMatchAndHowToThink) {
  const auto parsed = [](const std::string& more) {
    return ollama::parse_chat(std::string(kChat) + "," + more + "}").request;
  };
  using Kind = inference::OutputRule::Kind;
  EXPECT_EQ(parsed(R"("format":"json")").output.kind, Kind::json_object);
  const auto schema = parsed(R"("format":{"type":"object","required":["a"]})");
  EXPECT_EQ(schema.output.kind, Kind::json_schema);
  EXPECT_EQ(schema.output.schema.at("required").at(0), "a");
  EXPECT_EQ(parsed(R"("format":"")").output.kind, Kind::none);
  EXPECT_EQ(parsed(R"("think":false)").reasoning.think, false);
  EXPECT_EQ(parsed(R"("think":"low")").reasoning.effort, "low");
  EXPECT_EQ(parsed(R"("think":"low")").reasoning.think, true);
  EXPECT_FALSE(parsed(R"("stream":true)").reasoning.think.has_value());
  const auto gap = ollama::parse_generate(R"({"model":"m","prompt":"a","suffix":"b"})").request;
  EXPECT_TRUE(gap.raw);
  EXPECT_EQ(gap.suffix, "b");
}

// What a request may ask for and what a model may be given are one table.
TEST(OllamaOptions, HaveTheRangesOfAModelsParameters) {
  for (const auto& rule : models::parameter_rules()) {
    if (rule.use != models::ParameterUse::honoured) continue;
    if (rule.kind == models::ParameterKind::text) continue;  // lists in a request
    const std::string name(rule.name);
    for (const std::string value : {"-3", "-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2", "3",
                                    "1000", "1001", "1e30", "1e99", "2147483648"}) {
      if (name == "num_ctx" && value == "0") continue;  // Ollama's word for the model's own
      bool saved = true, asked = true;
      try {
        models::read_parameter(name, value);
      } catch (const Error&) {
        saved = false;
      }
      try {
        ollama::parse_generate(R"({"model":"m","prompt":"x","options":{")" + name + "\":" + value +
                               "}}");
      } catch (const Error&) {
        asked = false;
      }
      EXPECT_EQ(asked, saved) << name << " " << value;
    }
  }
}

}  // namespace
}  // namespace strata::api
