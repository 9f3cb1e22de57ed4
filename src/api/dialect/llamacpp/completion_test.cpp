// llama.cpp's /completion and its neighbours over a real socket, answered by the scripted backend.
#include <gtest/gtest.h>

#include "api/dialect/llamacpp/llamacpp.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::Reply;
using testing::Running;

ScriptedOptions one_model() {
  ScriptedOptions options;
  options.models.emplace_back().name = "echo";
  options.max_running = 3;
  return options;
}

std::vector<json::object> events_of(std::string_view body) {
  std::vector<json::object> events;
  for (size_t end = body.find("\n\n"); end != std::string_view::npos; end = body.find("\n\n")) {
    EXPECT_TRUE(body.starts_with("data: ")) << body;
    events.push_back(parse_json(body.substr(6, end - 6)).as_object());
    body.remove_prefix(end + 2);
  }
  return events;
}

class LlamaCompletion : public ::testing::Test {
 protected:
  Reply post(const std::string& path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  }
  json::value ask(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << body << " " << reply.body;
    return parse_json(reply.body);
  }
  json::value complete(const std::string& fields) {
    return ask("/completion", R"({"prompt":"a b c")" + fields + "}");
  }
  std::string refusal(const std::string& path, const std::string& body, int status = 400) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, status) << path << " " << body << " " << reply.body;
    const auto error = parse_json(reply.body).at("error");
    EXPECT_EQ(error.at("code"), status);
    return std::string(error.at("message").as_string());
  }
  Running running_{one_model()};
};

TEST_F(LlamaCompletion, AnswersInItsOwnShapeAndNeedsNoModelNameWhereThereIsOne) {
  const auto answer = complete(R"(,"n_predict":2)");
  EXPECT_EQ(answer.at("content"), "a b");
  EXPECT_EQ(answer.at("stop"), true);
  EXPECT_EQ(answer.at("stop_type"), "limit");
  EXPECT_EQ(answer.at("model"), "echo");
  EXPECT_EQ(answer.at("prompt"), "a b c");
  EXPECT_EQ(answer.at("tokens").as_array().size(), 0u);
  EXPECT_EQ(answer.at("tokens_predicted"), 2);
  EXPECT_EQ(answer.at("tokens_evaluated"), 3);
  EXPECT_EQ(answer.at("truncated"), false);
  EXPECT_EQ(answer.at("has_new_line"), false);
  EXPECT_EQ(answer.at("timings").at("prompt_n"), 3);
  EXPECT_EQ(answer.at("timings").at("predicted_n"), 2);
  EXPECT_EQ(answer.at("timings").at("predicted_ms").to_number<double>(), 2.0);
  EXPECT_EQ(answer.at("timings").at("predicted_per_second").to_number<double>(), 1000.0);
  EXPECT_EQ(answer.at("generation_settings").at("n_predict"), 2);
  EXPECT_FALSE(answer.as_object().contains("completion_probabilities"));
}

// As do OpenAI's operations; clients of servers with one model write a name that none has.
TEST_F(LlamaCompletion, OpenAisOperationsTakeTheOnlyModel) {
  const std::string chat = R"("messages":[{"role":"user","content":"a b"}]})";
  const auto post = [&](const char* path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  };
  for (const std::string begin : {"{", R"({"model":"tgi",)", R"({"model":"dummy",)"}) {
    for (const auto& reply : {post("/v1/chat/completions", begin + chat),
                              post("/v1/completions", begin + R"("prompt":"a b"})")}) {
      EXPECT_EQ(reply.status, 200) << reply.body;
      EXPECT_EQ(parse_json(reply.body).at("model"), "echo");
    }
  }
  EXPECT_EQ(post("/v1/chat/completions", R"({"model":"gpt",)" + chat).status, 404);
}

TEST_F(LlamaCompletion, SaysWhatStoppedIt) {
  EXPECT_EQ(complete("").at("stop_type"), "eos");
  const auto word = complete(R"(,"stop":[" c"])");
  EXPECT_EQ(word.at("stop_type"), "word");
  EXPECT_EQ(word.at("stopping_word"), " c");
  EXPECT_EQ(word.at("content"), "a b");
}

TEST_F(LlamaCompletion, StreamsPiecesWithIdsAndEndsWithTheFigures) {
  const Reply reply = post("/completions", R"({"prompt":"a b c","stream":true,"n_probs":2})");
  EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream; charset=utf-8");
  const auto events = events_of(reply.body);
  ASSERT_EQ(events.size(), 4u);
  std::string text;
  for (size_t i = 0; i < 3; ++i) {
    text += events[i].at("content").as_string();
    EXPECT_EQ(events[i].at("stop"), false);
    EXPECT_EQ(events[i].at("tokens").as_array().size(), 1u);
    const auto& probabilities = events[i].at("completion_probabilities").as_array();
    ASSERT_EQ(probabilities.size(), 1u);
    EXPECT_EQ(probabilities[0].at("id"), events[i].at("tokens").at(0));
    EXPECT_EQ(probabilities[0].at("top_logprobs").as_array().size(), 2u);
  }
  EXPECT_EQ(text, "a b c");
  EXPECT_EQ(events[3].at("stop"), true);
  EXPECT_EQ(events[3].at("content"), "");
  EXPECT_EQ(events[3].at("timings").at("predicted_n"), 3);
}

TEST_F(LlamaCompletion, TakesEveryShapeOfAPrompt) {
  const auto n = [&](const std::string& prompt) {
    return ask("/completion", R"({"prompt":)" + prompt + R"(,"n_predict":1})");
  };
  EXPECT_EQ(n("[1,2,3]").at("tokens_evaluated"), 3);
  EXPECT_EQ(n(R"([1,2,"x y",3])").at("tokens_evaluated"), 5);
  EXPECT_EQ(n(R"({"prompt_string":"x y"})").at("tokens_evaluated"), 2);
  const auto several = n(R"(["a",[1,2],[1,"b c"],{"prompt_string":"d"}])").as_array();
  ASSERT_EQ(several.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(several[i].at("index"), i);
  EXPECT_EQ(several[2].at("tokens_evaluated"), 3);
  EXPECT_EQ(several[3].at("prompt"), "d");
  EXPECT_EQ(ask("/completion", R"({"prompt":"a","n_cmpl":2})").as_array().size(), 2u);
  for (const char* bad :
       {"7", "[]", "[-1]", "[1.5]", R"({"text":"a"})", R"([1,{"prompt_string":"a"}])",
        R"({"prompt_string":"a","multimodal_data":["aGk="]})", "true"}) {
    EXPECT_NE(refusal("/completion", R"({"prompt":)" + std::string(bad) + "}").find("prompt"),
              std::string::npos);
  }
  refusal("/completion", R"({"n_predict":1})");
}

TEST_F(LlamaCompletion, TellsIdsAndOnlyTheFieldsThatAreWanted) {
  EXPECT_EQ(complete(R"(,"return_tokens":true)").at("tokens").as_array().size(), 3u);
  const auto few = complete(
      R"(,"response_fields":["content","generation_settings/top_k","nothing/x"],"top_k":7)");
  EXPECT_EQ(few, parse_json(R"({"content":"a b c","generation_settings/top_k":7})"));
}

TEST_F(LlamaCompletion, SamplersThatAreLeftOutAreOff) {
  const auto settings = complete(
      R"(,"samplers":["top_k","temperature"],"top_k":5,"temperature":0.5,"top_p":0.5,"min_p":0.5)");
  const auto& told = settings.at("generation_settings");
  EXPECT_EQ(told.at("top_k"), 5);
  EXPECT_EQ(told.at("temperature"), 0.5);
  EXPECT_EQ(told.at("top_p").to_number<double>(), 1.0);
  EXPECT_EQ(told.at("min_p").to_number<double>(), 0.0);
  const auto ignored = [&](const std::string& names) {
    const Reply reply = post("/completion", R"({"prompt":"a","samplers":)" + names + "}");
    EXPECT_EQ(reply.status, 200) << names << reply.body;
    const auto found = reply.headers.find("x-strata-ignored");
    return found == reply.headers.end() ? "" : found->second;
  };
  EXPECT_EQ(ignored(R"(["dry","typical_p","temperature"])"), "");
  EXPECT_EQ(ignored(R"(["temperature","top_k"])"), "samplers.order");
  EXPECT_EQ(ignored(R"(["top_k","top_p","infill"])"), "samplers[2]");
  EXPECT_EQ(ignored(R"(["no\r\nsuch","min_p"])"), "samplers[0]");
  EXPECT_EQ(ignored("[]"), "");
  for (const char* bad : {"[5]", "5", "{}"}) {
    refusal("/completion", R"({"prompt":"a","samplers":)" + std::string(bad) + "}");
  }
}

TEST_F(LlamaCompletion, SamplersMayBeALetterEach) {
  const Reply reply =
      post("/completion", R"({"prompt":"a","samplers":"kit","top_k":5,"top_p":0.5})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("x-strata-ignored"), "samplers[1]");
  const auto told = parse_json(reply.body).at("generation_settings");
  EXPECT_EQ(told.at("top_k"), 5);
  EXPECT_EQ(told.at("top_p").to_number<double>(), 1.0);
}

TEST_F(LlamaCompletion, ASeedIsToldAsItWasSent) {
  for (const int64_t seed : {int64_t{-2}, INT64_MIN, INT64_MAX, int64_t{7}}) {
    const auto told = complete(R"(,"seed":)" + std::to_string(seed)).at("generation_settings");
    EXPECT_EQ(told.at("seed"), seed);
  }
}

TEST_F(LlamaCompletion, EachPieceHasAllTheTimingsThatTheEndHas) {
  const Reply reply =
      post("/completion", R"({"prompt":"a b c","stream":true,"timings_per_token":true})");
  const auto events = events_of(reply.body);
  ASSERT_EQ(events.size(), 4u);
  const json::object& last = events.back().at("timings").as_object();
  for (const auto& event : events) {
    const json::object& timings = event.at("timings").as_object();
    EXPECT_EQ(timings.size(), last.size());
    for (const auto& [name, value] : last) {
      ASSERT_TRUE(timings.contains(name)) << name;
      EXPECT_TRUE(timings.at(name).is_number()) << name;
    }
    EXPECT_EQ(timings.at("prompt_n"), 3);
    EXPECT_EQ(timings.at("cache_n"), 0);
  }
  EXPECT_EQ(events[1].at("timings").at("predicted_n"), 2);
}

// Of the stream's first piece, which comes `after_ms` after the prompt was read.
json::object first_timings(int32_t prompt_done, int64_t after_ms) {
  llamacpp::Parsed parsed;
  parsed.requests.emplace_back();
  parsed.stream = parsed.timings_per_token = true;
  int64_t now_ms = 1000;
  const auto writer = llamacpp::completion_writer(parsed, [&] { return now_ms; });
  std::string out;
  ChatEvent begun, read, held_back;
  auto start = std::make_shared<AnswerStart>();
  start->prompt_ids = {1, 2, 3};
  begun.start = std::move(start);
  writer->progress(begun, out);
  now_ms += 10;
  read.event.prompt_done = prompt_done;
  writer->progress(read, out);
  now_ms += after_ms;
  held_back.event.text = "a b c";
  held_back.event.tokens.resize(6);
  writer->event(held_back, out);
  return events_of(out).at(0).at("timings").as_object();
}

TEST(LlamaTimings, ThePromptEndsWithTheFirstTokenAlthoughItsTextIsHeldBack) {
  const json::object timings = first_timings(3, 60);
  EXPECT_EQ(timings.at("prompt_ms").to_number<double>(), 10);
  EXPECT_EQ(timings.at("predicted_n"), 6);
  EXPECT_EQ(timings.at("predicted_ms").to_number<double>(), 60);
  EXPECT_EQ(timings.at("predicted_per_second").to_number<double>(), 100);
}

TEST(LlamaTimings, TokensTakeTime) {
  for (const int32_t prompt_done : {1, 3}) {
    const json::object timings = first_timings(prompt_done, 0);
    EXPECT_EQ(timings.at("predicted_ms").to_number<double>(), 1) << "the clock's step";
    EXPECT_GT(timings.at("predicted_per_second").to_number<double>(), 0);
  }
}

TEST_F(LlamaCompletion, APromptOverTheContextIsRefusedWithBothNumbers) {
  std::string prompt;
  for (int i = 0; i < 5000; ++i) prompt += "a ";
  const std::string body = R"({"model":"echo","prompt":")" + prompt + R"("})";
  EXPECT_NE(refusal("/completion", body).find("exceeds the available context size (4096 tokens)"),
            std::string::npos);
  const auto error = parse_json(post("/completion", body).body).at("error");
  EXPECT_EQ(error.at("type"), "exceed_context_size_error");
  EXPECT_EQ(error.at("n_ctx"), 4096);
  EXPECT_GE(error.at("n_prompt_tokens").to_number<int64_t>(), 5000);

  const Reply reply = post("/v1/completions", body);
  EXPECT_EQ(reply.status, 400);
  const auto told = parse_json(reply.body).at("error");
  EXPECT_EQ(told.at("type"), "invalid_request_error");
  EXPECT_EQ(told.at("code"), "context_length_exceeded");
  EXPECT_NE(told.at("message").as_string().find("maximum context length is 4096 tokens"),
            std::string::npos);
}

TEST_F(LlamaCompletion, RefusesWhatItCannotDoAndNamesIt) {
  for (const char* field : {R"("min_keep":3)",
                            R"("dynatemp_range":0.5)",
                            R"("adaptive_target":0.5)",
                            R"("lora":[{"id":0,"scale":1}])",
                            R"("grammar_lazy":true)",
                            R"("post_sampling_probs":true,"n_probs":1)",
                            R"("logit_bias":[["word",1]])",
                            R"("logit_bias":[[1]])",
                            R"("logit_bias":{"x":1})",
                            R"("n_probs":99)",
                            R"("no_such_field":1)",
                            R"("json_schema":[],"x":1)",
                            R"("json_schema":{"type":"object"},"grammar":"root ::= \"a\"")",
                            R"("n_predict":1,"max_tokens":2)",
                            R"("n_discard":"x")",
                            R"("verbose":5)",
                            R"("t_max_predict_ms":1.5)",
                            R"("mirostat":1)",
                            R"("sse_ping_interval":0)",
                            R"("sse_ping_interval":3601)",
                            R"("n_keep":-2)",
                            R"("cache_prompt":1)",
                            R"("id_slot":-2)"}) {
    const std::string text(field);
    const std::string name = text.substr(1, text.find('"', 1) - 1);
    const std::string told = refusal("/completion", R"({"prompt":"a",)" + text + "}");
    EXPECT_TRUE(told.find(name) != std::string::npos || name == "n_predict") << text << told;
  }
}

TEST_F(LlamaCompletion, WhatChangesNothingIsNamed) {
  const Reply reply =
      post("/completion", R"({"prompt":"a","id_slot":1,"n_keep":4,"cache_prompt":true,)"
                          R"("n_indent":0,"t_max_prompt_ms":-1,"min_keep":0,"lora":[],)"
                          R"("n_discard":0,"n_cache_reuse":0,"verbose":false,)"
                          R"("seed":4294967295})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("x-strata-ignored"), "id_slot, n_keep");
}

TEST_F(LlamaCompletion, InfillReadsBothSidesOfTheGap) {
  const auto answer = ask("/infill", R"({"input_prefix":"a b","input_suffix":" c","prompt":"d",)"
                                     R"("input_extra":[{"filename":"x","text":"y"}]})");
  EXPECT_EQ(answer.at("tokens_evaluated"), 8);
  const auto unnamed = ask("/infill", R"({"input_prefix":"a b","input_suffix":" c","prompt":"d",)"
                                      R"("input_extra":[{"filename":"","text":"y"}]})");
  EXPECT_LT(unnamed.at("tokens_evaluated").as_int64(), answer.at("tokens_evaluated").as_int64());
  refusal("/infill", R"({"input_suffix":"c"})");
  refusal("/infill", R"({"input_prefix":"c"})");
  for (const char* bad : {"{}", R"({"filename":"ok"})", R"({"filename":1,"text":"a"})", "3"}) {
    refusal("/infill",
            R"({"input_prefix":"a","input_suffix":"c","input_extra":[)" + std::string(bad) + "]}");
  }
}

TEST_F(LlamaCompletion, InfillBeginsEachFileAndThePrefixOnALineOfItsOwn) {
  const auto prompt = [&](const std::string& files) {
    const auto answer =
        ask("/infill", R"({"input_prefix":"a","input_suffix":"","input_extra":[)" + files + "]}");
    return std::string(answer.at("prompt").as_string());
  };
  EXPECT_EQ(prompt(R"({"filename":"f.c","text":"y"},{"filename":"g.c","text":"z\n"})"),
            "f.c\ny\ng.c\nz\na");
  EXPECT_EQ(prompt(R"({"text":"y"},{"text":""},{"filename":"g.c","text":""})"), "y\ng.c\na");
  for (const char* name : {R"(f\ng)", R"(f\rg)"}) {
    refusal("/infill", R"({"input_prefix":"a","input_suffix":"","input_extra":[{"filename":")" +
                           std::string(name) + R"(","text":"y"}]})");
  }
}

// What llama.vim and llama.vscode send: the first fills in, the second reads ahead.
TEST_F(LlamaCompletion, InfillTakesWhatEditorsSend) {
  const Reply fill = post(
      "/infill",
      R"({"input_prefix":"a b","input_suffix":" c","prompt":"d","n_predict":4,"n_indent":2,)"
      R"("input_extra":[{"text":"y","time":[1,2],"filename":"f"},{"text":"z","time":5}],)"
      R"("stop":[],"top_k":40,"top_p":0.9,"stream":false,"cache_prompt":true,"id_slot":-1,)"
      R"("samplers":["top_k","top_p","infill"],"t_max_prompt_ms":500,"t_max_predict_ms":1000})");
  ASSERT_EQ(fill.status, 200) << fill.body;
  EXPECT_EQ(fill.headers.at("x-strata-ignored"),
            "samplers[2], n_indent, t_max_prompt_ms, input_extra[].time");
  const Reply ahead =
      post("/infill",
           R"({"input_prefix":"","input_suffix":"","prompt":"","n_predict":0,"temperature":0.0,)"
           R"("input_extra":[{"text":"y","time":1,"filename":"f"}],"samplers":[],"stream":false,)"
           R"("cache_prompt":true,"t_max_prompt_ms":1,"t_max_predict_ms":1,)"
           R"("response_fields":[""]})");
  EXPECT_EQ(ahead.status, 200) << ahead.body;
}

TEST_F(LlamaCompletion, TheServerSaysWhatItIs) {
  const Reply props = fetch(running_.port(), "GET", "/props");
  ASSERT_EQ(props.status, 200) << props.body;
  const auto body = parse_json(props.body);
  EXPECT_EQ(body.at("total_slots"), 3);
  EXPECT_EQ(body.at("default_generation_settings").at("n_ctx"), 4096);
  EXPECT_EQ(body.at("default_generation_settings").at("params").at("top_k"), 40);
  const auto slots = parse_json(fetch(running_.port(), "GET", "/slots").body).as_array();
  ASSERT_EQ(slots.size(), 3u);
  EXPECT_EQ(slots[0].at("is_processing"), false);
  EXPECT_EQ(fetch(running_.port(), "GET", "/lora-adapters").body, "[]");
  EXPECT_EQ(post("/lora-adapters", "[]").status, 200);
  refusal("/lora-adapters", R"([{"id":0,"scale":1}])");
  refusal("/slots/0?action=save", R"({"filename":"a"})", 501);
  refusal("/slots/0?action=sing", "{}");
  refusal("/props", "{}", 501);
  EXPECT_EQ(fetch(running_.port(), "GET", "/health").status, 200);
}

// The model takes `seconds` for each of three tokens.
std::string stream_of(double seconds, int64_t server_ping_ms, const std::string& fields) {
  ScriptedOptions script = one_model();
  script.models.front().tokens_per_second = 1 / seconds;
  ServerOptions options;
  options.ping_interval_ms = server_ping_ms;
  Running running(script, options);
  return fetch(running.port(), "POST", "/completion",
               R"({"prompt":"a b c","stream":true)" + fields + "}")
      .body;
}

TEST(LlamaPings, ComeAfterTheSilenceThatARequestAsksFor) {
  constexpr int64_t kLong = 3'600'000;
  EXPECT_NE(stream_of(0.1, 10, "").find(": still working"), std::string::npos);
  for (const char* none : {"-1", "3600"}) {
    const std::string body = stream_of(0.1, 10, R"(,"sse_ping_interval":)" + std::string(none));
    EXPECT_EQ(body.find(": still working"), std::string::npos) << none;
    EXPECT_NE(body.find(R"("stop":true)"), std::string::npos) << body;
  }
  EXPECT_NE(
      stream_of(1.5, kLong, R"(,"n_predict":2,"sse_ping_interval":1)").find(": still working"),
      std::string::npos);
}

TEST(LlamaModels, OfSeveralOneHasToBeNamed) {
  ScriptedOptions options = default_script();
  options.models.pop_back();
  Running one(options);
  EXPECT_EQ(fetch(one.port(), "POST", "/completion", R"({"prompt":"a"})").status, 200);
  EXPECT_EQ(fetch(one.port(), "POST", "/completion", R"({"prompt":"a","model":"who"})").status,
            404);
}

}  // namespace
}  // namespace strata::api
