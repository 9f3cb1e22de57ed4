// /v1/messages over a real socket, answered by the scripted backend.
#include <set>

#include <gtest/gtest.h>

#include "api/dialect/anthropic/anthropic.h"
#include "api/dialect/anthropic/testing/events.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"

namespace strata::api {
namespace {

using testing::events_of;
using testing::fetch;
using testing::Reply;
using testing::Running;
using testing::SseEvent;

constexpr std::string_view kVersion = "anthropic-version: 2023-06-01\r\n";

ScriptedOptions script() {
  return parse_script(R"({"models": [{"name": "echo"}, {"name": "agent", "rules": [
    {"contains": "weather", "role": "user", "reasoning": "A tool knows.", "reply": "Let me look.",
     "calls": [{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "clock"}]},
    {"contains": "tides", "role": "user",
     "calls": [{"name": "weather", "arguments": {"city": "Oslo, N", "at": [1, [2, 3]],
                "by": {"bus, or": true, "days": 12}}}]},
    {"role": "tool", "reply": "It is {message}."},
    {"contains": "break", "reply": "one two three four", "fail_after": 2}]}]})");
}

constexpr auto kTools =
    R"("tools":[{"name":"weather","description":"Of a city","input_schema":{"type":"object"}},
                {"name":"clock","input_schema":{"type":"object"}}])";

class AnthropicMessages : public ::testing::Test {
 protected:
  Reply post(const std::string& body) const {
    return fetch(running_.port(), "POST", "/v1/messages", body, kVersion);
  }
  // {"model", "max_tokens"} and what is given.
  Reply ask(const std::string& model, const std::string& rest) const {
    return post(fmt::format(R"({{"model":"{}","max_tokens":100,{}}})", model, rest));
  }
  json::object whole(const std::string& model, const std::string& rest) const {
    const Reply reply = ask(model, rest);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body).as_object();
  }
  std::vector<SseEvent> streamed(const std::string& model, const std::string& rest) const {
    const Reply reply = ask(model, R"("stream":true,)" + rest);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream; charset=utf-8");
    return events_of(reply.body);
  }
  std::string refusal(const std::string& rest) const {
    const Reply reply = ask("echo", rest);
    EXPECT_EQ(reply.status, 400) << rest << " " << reply.body;
    const json::value body = parse_json(reply.body);
    EXPECT_EQ(body.at("type"), "error");
    EXPECT_EQ(body.at("error").at("type"), "invalid_request_error");
    return std::string(body.at("error").at("message").as_string());
  }
  Running running_{script()};
};

std::string user(std::string_view text) {
  return fmt::format(R"("messages":[{{"role":"user","content":"{}"}}])", text);
}

// "message_start, content_block_start 0 text, content_block_delta 0 text_delta, …"
std::string outline(const std::vector<SseEvent>& events) {
  std::string out;
  for (const SseEvent& event : events) {
    const json::object& data = event.data.as_object();
    EXPECT_EQ(data.at("type").as_string(), event.name);
    std::string line = event.name;
    if (data.contains("index")) line += fmt::format(" {}", data.at("index").as_int64());
    for (const char* part : {"content_block", "delta"}) {
      if (!data.contains(part) || !data.at(part).as_object().contains("type")) continue;
      line += " " + std::string(data.at(part).at("type").as_string());
    }
    if (!out.ends_with(line + "\n")) out += line + "\n";  // several deltas count as one
  }
  return out;
}

TEST_F(AnthropicMessages, AWholeAnswerIsAMessage) {
  const auto message = whole("echo", user("Hello there"));
  EXPECT_EQ(message.at("type"), "message");
  EXPECT_EQ(message.at("role"), "assistant");
  EXPECT_EQ(message.at("model"), "echo");
  EXPECT_TRUE(message.at("id").as_string().starts_with("msg_"));
  EXPECT_EQ(to_json(message.at("content")), R"([{"type":"text","text":"Hello there"}])");
  EXPECT_EQ(message.at("stop_reason"), "end_turn");
  EXPECT_TRUE(message.at("stop_sequence").is_null());
  const json::value& usage = message.at("usage");
  EXPECT_EQ(usage.at("input_tokens"), 3);  // <user> Hello there
  EXPECT_EQ(usage.at("output_tokens"), 2);
  EXPECT_EQ(usage.at("cache_read_input_tokens"), 0);
  EXPECT_EQ(usage.at("cache_creation_input_tokens"), 0);
  EXPECT_EQ(usage.at("service_tier"), "standard");
}

TEST_F(AnthropicMessages, AStreamHasTheBlocksInOrder) {
  const auto events = streamed("agent", user("the weather?") + "," + kTools);
  EXPECT_EQ(outline(events),
            "message_start\n"
            "content_block_start 0 thinking\n"
            "content_block_delta 0 thinking_delta\n"
            "content_block_delta 0 signature_delta\n"
            "content_block_stop 0\n"
            "content_block_start 1 text\n"
            "content_block_delta 1 text_delta\n"
            "content_block_stop 1\n"
            "content_block_start 2 tool_use\n"
            "content_block_delta 2 input_json_delta\n"
            "content_block_stop 2\n"
            "content_block_start 3 tool_use\n"
            "content_block_delta 3 input_json_delta\n"
            "content_block_stop 3\n"
            "message_delta\n"
            "message_stop\n");
  const json::value& start = events.front().data.at("message");
  EXPECT_EQ(start.at("content"), json::array{});
  EXPECT_TRUE(start.at("stop_reason").is_null());
  EXPECT_EQ(start.at("usage").at("input_tokens"), 4);  // <user> the weather ?
  EXPECT_EQ(start.at("usage").at("output_tokens"), 0);
  const json::value& end = events[events.size() - 2].data;
  EXPECT_EQ(end.at("delta").at("stop_reason"), "tool_use");
  EXPECT_EQ(end.at("usage").at("input_tokens"), 4);
  EXPECT_GT(end.at("usage").at("output_tokens").as_int64(), 6);
  EXPECT_EQ(end.at("usage").at("output_tokens_details").at("thinking_tokens"), 4);
}

TEST_F(AnthropicMessages, AStreamAndAWholeAnswerSayTheSame) {
  const std::string rest = user("the weather?") + "," + kTools;
  std::map<int64_t, std::string> pieces;
  for (const SseEvent& event : streamed("agent", rest)) {
    if (event.name != "content_block_delta") continue;
    const json::object& delta = event.data.at("delta").as_object();
    for (const char* key : {"thinking", "text", "partial_json"}) {
      if (delta.contains(key)) {
        pieces[event.data.at("index").as_int64()] += delta.at(key).as_string();
      }
    }
  }
  const auto message = whole("agent", rest);
  const json::array& content = message.at("content").as_array();
  ASSERT_EQ(content.size(), 4u);
  EXPECT_EQ(content[0].at("thinking").as_string(), pieces[0]);
  EXPECT_EQ(content[1].at("text").as_string(), pieces[1]);
  EXPECT_EQ(content[2].at("name"), "weather");
  EXPECT_EQ(to_json(content[2].at("input")), pieces[2]);
  EXPECT_EQ(to_json(content[3].at("input")), "{}");
  EXPECT_NE(content[2].at("id"), content[3].at("id"));
  EXPECT_EQ(message.at("stop_reason"), "tool_use");
}

TEST_F(AnthropicMessages, AToolsResultGoesBackToTheModel) {
  const auto first = whole("agent", user("the weather?") + "," + kTools);
  const json::array results{
      json::object{{"type", "tool_result"},
                   {"tool_use_id", first.at("content").at(3).at("id")},
                   {"content", "noon"}},
      json::object{{"type", "tool_result"},
                   {"tool_use_id", first.at("content").at(2).at("id")},
                   {"content", json::array{json::object{{"type", "text"}, {"text", "rainy"}}}}}};
  json::array messages{json::object{{"role", "user"}, {"content", "the weather?"}},
                       json::object{{"role", "assistant"}, {"content", first.at("content")}},
                       json::object{{"role", "user"}, {"content", results}}};
  const auto answer = whole("agent", fmt::format(R"("messages":{},{})", to_json(messages), kTools));
  EXPECT_EQ(answer.at("content").at(0).at("text"), "It is rainy.");

  // Thinking that was changed on its way is not given to the model.
  messages[1].as_object().at("content").at(0).as_object()["thinking"] = "I obey.";
  EXPECT_NE(refusal(fmt::format(R"("messages":{},{})", to_json(messages), kTools))
                .find("messages[1].content[0].signature"),
            std::string::npos);
}

TEST_F(AnthropicMessages, WhatEndedAnAnswerIsSaid) {
  const auto stopped = whole("echo", user("one two three") + R"(,"stop_sequences":["three"])");
  EXPECT_EQ(stopped.at("stop_reason"), "stop_sequence");
  EXPECT_EQ(stopped.at("stop_sequence"), "three");
  EXPECT_EQ(stopped.at("content").at(0).at("text"), "one two ");
  const Reply cut = post(R"({"model":"echo","max_tokens":1,)" + user("one two three") + "}");
  EXPECT_EQ(parse_json(cut.body).at("stop_reason"), "max_tokens");
}

TEST_F(AnthropicMessages, ACallThatIsCutOffHasWhatIsWholeHoweverDeep) {
  const std::string arguments =
      R"({"city":"Oslo, N","at":[1,[2,3]],"by":{"bus, or":true,"days":12}})";
  std::set<std::string> inputs;
  for (int n = 1; n < 80; ++n) {
    const std::string rest =
        fmt::format(R"("model":"agent","max_tokens":{},{},{}}})", n, user("the tides?"), kTools);
    const json::value message = parse_json(post("{" + rest).body);
    std::string streamed;
    for (const SseEvent& event : events_of(post(R"({"stream":true,)" + rest).body)) {
      if (event.name != "content_block_delta") continue;
      streamed += event.data.at("delta").at("partial_json").as_string();
    }
    EXPECT_TRUE(arguments.starts_with(streamed)) << streamed;
    const json::array& content = message.at("content").as_array();
    if (content.empty()) continue;
    const std::string input = to_json(content[0].at("input"));
    inputs.insert(input);
    if (streamed == arguments) {
      EXPECT_EQ(input, arguments);
      break;
    }
    EXPECT_EQ(message.at("stop_reason"), "max_tokens");
    const std::string members = input.substr(0, input.find_last_not_of("]}") + 1);
    EXPECT_TRUE(arguments.starts_with(members)) << input;
    EXPECT_LE(members.size(), std::max<size_t>(1, streamed.size())) << input << " of " << streamed;
  }
  EXPECT_TRUE(inputs.contains(arguments));
  EXPECT_TRUE(inputs.contains(R"({"city":"Oslo, N","at":[1,[2]]})"))
      << ::testing::PrintToString(inputs);
}

TEST_F(AnthropicMessages, AFailureInAStreamIsAnErrorEvent) {
  const auto events = streamed("agent", user("break"));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().name, "error");
  EXPECT_EQ(events.back().data.at("error").at("type"), "api_error");
}

TEST_F(AnthropicMessages, TheVersionMustBeThere) {
  const std::string body = R"({"model":"echo","max_tokens":9,)" + user("x") + "}";
  const auto status = [&](std::string_view headers) {
    const Reply reply = fetch(running_.port(), "POST", "/v1/messages", body, headers);
    EXPECT_TRUE(reply.headers.contains("request-id"));
    return reply.status;
  };
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("anthropic-version: 2025-01-01\r\n"), 400);
  EXPECT_EQ(status("anthropic-version: 2026-10-21\r\n"), 200);  // its newest client's
  EXPECT_EQ(status(kVersion), 200);
}

TEST_F(AnthropicMessages, ErrorsHaveItsShapeAndTypes) {
  const Reply absent = ask("absent", user("x"));
  EXPECT_EQ(absent.status, 404);
  const json::value body = parse_json(absent.body);
  EXPECT_EQ(body.at("type"), "error");
  EXPECT_EQ(body.at("error").at("type"), "not_found_error");
  EXPECT_EQ(absent.body.find("file:"), std::string::npos) << "nobody far away has files here";
  EXPECT_EQ(absent.headers.at("request-id"), absent.headers.at("x-request-id"));
  const Reply unknown = fetch(running_.port(), "GET", "/v1/messages/elsewhere", {}, kVersion);
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(parse_json(unknown.body).at("error").at("type"), "not_found_error");
}

TEST_F(AnthropicMessages, TokensAreCountedAsAnAnswerCountsThem) {
  const std::string rest =
      R"("model":"echo","system":[{"type":"text","text":"Be kind"}],)" + user("Hello there") + "}";
  const Reply counted =
      fetch(running_.port(), "POST", "/v1/messages/count_tokens?beta=true", "{" + rest, kVersion);
  ASSERT_EQ(counted.status, 200) << counted.body;
  const Reply answered = post(R"({"max_tokens":9,)" + rest);
  EXPECT_EQ(parse_json(counted.body).at("input_tokens"),
            parse_json(answered.body).at("usage").at("input_tokens"));
  EXPECT_EQ(parse_json(counted.body).at("input_tokens"), 6);
}

TEST_F(AnthropicMessages, ARequestForTheCacheSaysWhatWentIntoIt) {
  const auto usage = whole("echo", R"("system":[{"type":"text","text":"Be kind","cache_control":
      {"type":"ephemeral"}}],)" + user("Hello there"))
                         .at("usage");
  EXPECT_EQ(usage.at("input_tokens"), 0);
  EXPECT_EQ(usage.at("cache_creation_input_tokens"), 6);
  EXPECT_EQ(usage.at("cache_read_input_tokens"), 0);
  std::string blocks;
  for (int i = 0; i < 5; ++i) {
    blocks += std::string(i > 0 ? "," : "") +
              R"({"type":"text","text":"x","cache_control":{"type":"ephemeral"}})";
  }
  EXPECT_NE(refusal(R"("messages":[{"role":"user","content":[)" + blocks + "]}]")
                .find("messages[0].content[4].cache_control"),
            std::string::npos);
}

TEST(AnthropicRequest, TheLastAssistantsTurnIsContinued) {
  const auto parsed = anthropic::parse_message(R"({"model":"m","max_tokens":9,"messages":[
      {"role":"user","content":"q"},{"role":"user","content":[{"type":"text","text":"more"}]},
      {"role":"assistant","content":"The answer is ("}]})");
  EXPECT_TRUE(parsed.request.continue_last);
  const auto& messages = parsed.request.conversation.messages;
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].content, "q\n\nmore");  // two turns of one role are one
  EXPECT_EQ(messages[1].content, "The answer is (");
  EXPECT_THROW(anthropic::parse_message(R"({"model":"m","max_tokens":9,
      "thinking":{"type":"enabled","budget_tokens":5},"messages":[
      {"role":"user","content":"q"},{"role":"assistant","content":"x"}]})"),
               FieldError);
}

TEST(AnthropicRequest, ThinksOnlyWhereItIsAskedFor) {
  const auto wish = [](const std::string& extra) {
    return anthropic::parse_message(R"({"model":"m","max_tokens":9,"messages":[
        {"role":"user","content":"q"}])" +
                                    extra + "}")
        .request.reasoning;
  };
  EXPECT_EQ(wish("").think, false);
  EXPECT_EQ(wish(R"(,"thinking":{"type":"adaptive"})").think, true);
  EXPECT_EQ(wish(R"(,"thinking":{"type":"enabled","budget_tokens":4})").max_tokens, 4);
  EXPECT_EQ(wish(R"(,"output_config":{"effort":"low"})").think, std::nullopt);
}

TEST_F(AnthropicMessages, AToolOfAnotherInterfaceIsToldHowItIsWrittenHere) {
  for (const std::string tool : {R"({"type":"function","function":{"name":"f","parameters":{}}})",
                                 R"({"type":"function","name":"f","parameters":{}})"}) {
    const std::string said = refusal(user("x") + R"(,"tools":[)" + tool + "]");
    EXPECT_NE(said.find("input_schema"), std::string::npos) << said;
  }
}

TEST_F(AnthropicMessages, AToolThatTakesNoObjectIsRefusedByItsPlace) {
  for (const std::string type : {R"("string")", R"("array")", R"(["null","integer"])"}) {
    EXPECT_NE(refusal(user("x") + R"(,"tools":[{"name":"f","input_schema":{"type":)" + type + "}}]")
                  .find("tools[0].input_schema"),
              std::string::npos)
        << type;
  }
}

TEST_F(AnthropicMessages, WhatIsNotHereIsRefusedByItsName) {
  const auto block = [&](const std::string& inner) {
    return refusal(R"("messages":[{"role":"user","content":[)" + inner + "]}]");
  };
  for (const std::string type : {"image", "container_upload", "web_search_tool_result"}) {
    EXPECT_NE(
        block(R"({"type":")" + type + R"(","source":{}})").find("messages[0].content[0].type"),
        std::string::npos);
  }
  for (const std::string type : {"web_search_20250305", "bash_20250124", "computer_toolset"}) {
    EXPECT_NE(refusal(user("x") + R"(,"tools":[{"type":")" + type + R"(","name":"x"}])").find(type),
              std::string::npos);
  }
  EXPECT_NE(block(R"({"type":"document","source":{"type":"base64","media_type":"application/pdf",
                      "data":"AA=="}})")
                .find("messages[0].content[0].source.type"),
            std::string::npos);
  EXPECT_NE(refusal(user("x") + R"(,"mcp_servers":[])").find("mcp_servers"), std::string::npos);
}

TEST_F(AnthropicMessages, AThreadThatIsToBeginIsNamedAsIgnoredAndOneToGoOnWithIsNotFound) {
  const std::string create = user("x") + R"(,"thread":{"type":"create"})";
  const Reply begun = ask("echo", create);
  EXPECT_EQ(begun.status, 200) << begun.body;
  EXPECT_EQ(begun.headers.at("x-strata-ignored"), "thread");
  EXPECT_NE(refusal(create + R"(,"strict":true)").find("thread"), std::string::npos);
  EXPECT_NE(refusal(user("x") + R"(,"thread":{"type":"create","x":1})").find("thread.x"),
            std::string::npos);
  EXPECT_NE(refusal(user("x") + R"(,"thread":{})").find("thread.type"), std::string::npos);
  // Who goes on sends only what is new.
  const Reply lost = ask("echo", R"("thread":{"type":"continue","previous_message_id":"msg_1"},
      "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1"}]}])");
  EXPECT_EQ(lost.status, 400);
  const json::value error = parse_json(lost.body).at("error");
  EXPECT_NE(error.at("message").as_string().find("thread.type"), std::string::npos);
  EXPECT_EQ(error.at("details").at("error_code"), "thread_not_found");
}

TEST_F(AnthropicMessages, TheModelInMemoryNeedsNoName) {
  const std::string body = "{" + user("x") + R"(,"max_tokens":9})";
  const Reply reply = post(body);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(parse_json(reply.body).at("model"), "echo");
  const Reply counted =
      fetch(running_.port(), "POST", "/v1/messages/count_tokens", "{" + user("x") + "}", kVersion);
  EXPECT_EQ(counted.status, 200) << counted.body;
}

TEST_F(AnthropicMessages, APromptOverTheContextIsTooLongInTheWordsThatClientsLookFor) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "a ";
  const std::string message = refusal(user(text));
  int64_t n_prompt = 0, most = 0;
  ASSERT_EQ(std::sscanf(message.c_str(), "prompt is too long: %ld tokens > %ld maximum", &n_prompt,
                        &most),
            2)
      << message;
  EXPECT_GE(n_prompt, 5000);
  EXPECT_EQ(most, 4095);
  for (const char* elsewhere : {"/clear", "num_ctx", "Modelfile", "Ollama"}) {
    EXPECT_EQ(message.find(elsewhere), std::string::npos) << message;
  }
}

TEST_F(AnthropicMessages, ModelsHaveItsShapeWhereItsVersionIsNamed) {
  const auto get = [&](const std::string& path, std::string_view headers) {
    return parse_json(fetch(running_.port(), "GET", path, {}, headers).body);
  };
  const json::value page = get("/v1/models?limit=1", kVersion);
  EXPECT_EQ(page.at("data").at(0).at("type"), "model");
  EXPECT_EQ(page.at("data").at(0).at("id"), "agent");
  EXPECT_EQ(page.at("has_more"), true);
  const json::value rest = get("/v1/models?after_id=agent", kVersion);
  EXPECT_EQ(rest.at("data").at(0).at("id"), "echo");
  EXPECT_EQ(rest.at("has_more"), false);
  EXPECT_EQ(get("/v1/models?before_id=echo", kVersion).at("last_id"), "agent");
  EXPECT_EQ(get("/v1/models/echo", kVersion).at("max_input_tokens"), 4096);
  EXPECT_EQ(get("/v1/models/absent", kVersion).at("type"), "error");
  EXPECT_EQ(get("/v1/models", "").at("object"), "list");  // OpenAI's
}

}  // namespace
}  // namespace strata::api
