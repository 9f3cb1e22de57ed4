// What /v1/responses answers, whole and streamed, keeps, and goes on from.
#include "api/dialect/responses/responses.h"

#include "api/dialect/responses/testing/served.h"

namespace strata::api::responses {
namespace {

using Names = std::vector<std::string>;

constexpr std::string_view kTools =
    R"("tools":[{"type":"function","name":"get_weather","parameters":{"type":"object"}},)"
    R"({"type":"function","name":"get_time"}])";

class ResponsesApi : public Served {};

TEST_F(ResponsesApi, AWholeAnswerIsKeptAsItWasGiven) {
  const auto made = ask(R"("input":"hello there","metadata":{"a":"b"})");
  EXPECT_EQ(made.at("object"), "response");
  EXPECT_EQ(made.at("status"), "completed");
  EXPECT_EQ(text_of(made), "hello there");
  EXPECT_EQ(made.at("usage").at("output_tokens"), 2);
  EXPECT_EQ(made.at("created_at"), testing::kNowMs / 1000);
  EXPECT_EQ(made.at("completed_at"), testing::kNowMs / 1000);
  EXPECT_EQ(ok("GET", "/v1/responses/" + id_of(made)), made);
  const auto input = ok("GET", "/v1/responses/" + id_of(made) + "/input_items");
  ASSERT_EQ(input.at("data").as_array().size(), 1u);
  EXPECT_EQ(input.at("data").at(0).at("content").at(0).at("text"), "hello there");
  EXPECT_EQ(input.at("first_id"), input.at("last_id"));
}

TEST_F(ResponsesApi, ATextStreamsInTheOrderOfTheSpecification) {
  const auto events = stream(R"("input":"one two three")");
  EXPECT_EQ(names_of(events),
            (Names{"response.created", "response.in_progress", "response.output_item.added",
                   "response.content_part.added", "response.output_text.delta",
                   "response.output_text.done", "response.content_part.done",
                   "response.output_item.done", "response.completed"}));
  std::string joined;
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].data.at("sequence_number"), i);
    if (events[i].name == "response.output_text.delta") {
      joined += std::string(events[i].data.at("delta").as_string());
      EXPECT_EQ(events[i].data.at("item_id"), events[2].data.at("item").at("id"));
    }
  }
  EXPECT_EQ(joined, "one two three");
  EXPECT_EQ(events.front().data.at("response").at("status"), "in_progress");
  EXPECT_TRUE(events.front().data.at("response").at("output").as_array().empty());
  const auto& whole = events.back().data.at("response");
  EXPECT_EQ(text_of(whole), joined);
  EXPECT_EQ(ok("GET", "/v1/responses/" + id_of(whole)), whole);
}

TEST_F(ResponsesApi, ReasoningTextAndCallsAreItemsOfTheirOwn) {
  const auto events = stream(R"("input":"the weather?",)" + std::string(kTools));
  EXPECT_EQ(names_of(events), (Names{"response.created",
                                     "response.in_progress",
                                     "response.output_item.added",
                                     "response.content_part.added",
                                     "response.reasoning_text.delta",
                                     "response.reasoning_text.done",
                                     "response.content_part.done",
                                     "response.output_item.done",
                                     "response.output_item.added",
                                     "response.content_part.added",
                                     "response.output_text.delta",
                                     "response.output_text.done",
                                     "response.content_part.done",
                                     "response.output_item.done",
                                     "response.output_item.added",
                                     "response.function_call_arguments.delta",
                                     "response.function_call_arguments.done",
                                     "response.output_item.done",
                                     "response.output_item.added",
                                     "response.function_call_arguments.delta",
                                     "response.function_call_arguments.done",
                                     "response.output_item.done",
                                     "response.completed"}));
  const auto& output = events.back().data.at("response").at("output").as_array();
  ASSERT_EQ(output.size(), 4u);
  EXPECT_EQ(output[0].at("type"), "reasoning");
  EXPECT_EQ(output[0].at("content").at(0).at("text"), "I have to look.");
  EXPECT_EQ(output[1].at("content").at(0).at("text"), "Let me see.");
  EXPECT_EQ(output[2].at("name"), "get_weather");
  EXPECT_EQ(output[2].at("arguments"), R"({"city":"Paris"})");
  EXPECT_EQ(output[3].at("name"), "get_time");
  EXPECT_GT(events.back()
                .data.at("response")
                .at("usage")
                .at("output_tokens_details")
                .at("reasoning_tokens")
                .as_int64(),
            0);
}

TEST_F(ResponsesApi, ACallIsAnsweredByWhatTheProgramSendsBack) {
  const auto first = ask(R"("input":"the weather?",)" + std::string(kTools));
  const std::string call(first.at("output").at(2).at("call_id").as_string());
  const auto second = ask(R"("previous_response_id":")" + id_of(first) +
                          R"(","input":[{"type":"function_call_output","call_id":")" + call +
                          R"(","output":"sunny"}])");
  EXPECT_EQ(text_of(second), "The tool says sunny.");
  EXPECT_EQ(second.at("previous_response_id"), first.at("id"));
}

// The prompt's tokens count what the model was given: with every link it is more.
TEST_F(ResponsesApi, AChainGivesTheModelAllThatWasSaid) {
  const auto first = ask(R"("input":"alpha")");
  const auto second = ask(R"("input":"beta","previous_response_id":")" + id_of(first) + "\"");
  const auto whole =
      ask(R"("input":[{"role":"user","content":"alpha"},{"role":"assistant","content":"alpha"},)"
          R"({"role":"user","content":"beta"}])");
  EXPECT_EQ(second.at("usage").at("input_tokens"), whole.at("usage").at("input_tokens"));
  EXPECT_GT(second.at("usage").at("input_tokens").as_int64(),
            first.at("usage").at("input_tokens").as_int64());
}

TEST_F(ResponsesApi, WhatIsNotToBeKeptIsNot) {
  const auto made = ask(R"("input":"secret","store":false)");
  EXPECT_EQ(text_of(made), "secret");
  EXPECT_EQ(call("GET", "/v1/responses/" + id_of(made)).status, 404);
}

TEST_F(ResponsesApi, AnAnswerCutByItsLimitIsIncomplete) {
  const auto made = ask(R"("input":"too long")");
  EXPECT_EQ(made.at("status"), "incomplete");
  EXPECT_EQ(made.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(made.at("output").at(0).at("status"), "incomplete");
  EXPECT_EQ(stream(R"("input":"too long")").back().name, "response.incomplete");
  EXPECT_EQ(ask(R"("input":"a b c d e","max_output_tokens":2)").at("status"), "incomplete");
}

TEST_F(ResponsesApi, AnAnswerThatFailsSaysSoAndKeepsWhatItHad) {
  const auto events = stream(R"("input":"break")");
  ASSERT_EQ(events.back().name, "response.failed");
  const auto& response = events.back().data.at("response");
  EXPECT_EQ(response.at("error").at("code"), "server_error");
  EXPECT_EQ(response.at("error").at("message"), "broken");
  const auto kept = ok("GET", "/v1/responses/" + id_of(response));
  EXPECT_EQ(kept, response);
  EXPECT_FALSE(text_of(kept).empty());
  EXPECT_EQ(call("POST", "/v1/responses", R"({"model":"demo","input":"break"})").status, 500);
}

TEST_F(ResponsesApi, DeletedIsGone) {
  const auto made = ask(R"("input":"hello")");
  const std::string path = "/v1/responses/" + id_of(made);
  EXPECT_EQ(ok("DELETE", path).at("deleted"), true);
  for (const auto& [method, below] :
       {std::pair{"GET", ""}, {"DELETE", ""}, {"GET", "/input_items"}, {"POST", "/cancel"}}) {
    EXPECT_EQ(call(method, path + below).status, 404) << method << below;
  }
  EXPECT_EQ(call("POST", "/v1/responses",
                 R"({"model":"demo","input":"x","previous_response_id":")" + id_of(made) + "\"}")
                .status,
            404);
}

TEST_F(ResponsesApi, LogprobsAndSealedReasoningComeWhereTheyAreAsked) {
  const auto made =
      ask(R"("input":"think","top_logprobs":2,"include":["message.output_text.logprobs",)"
          R"("reasoning.encrypted_content"],"store":false)");
  const auto& output = made.at("output").as_array();
  ASSERT_EQ(output.size(), 2u);
  const auto& logprobs = output[1].at("content").at(0).at("logprobs").as_array();
  ASSERT_EQ(logprobs.size(), 1u);
  EXPECT_EQ(logprobs[0].at("token"), "thought");
  EXPECT_EQ(logprobs[0].at("top_logprobs").as_array().size(), 2u);
  // The reasoning comes back by its seal alone, as clients that keep nothing send it.
  const std::string sealed(output[0].at("encrypted_content").as_string());
  const auto again = ask(R"("store":true,"input":[{"type":"reasoning","summary":[],)"
                         R"("encrypted_content":")" +
                         sealed +
                         R"("},{"role":"assistant","content":"thought"},)"
                         R"({"role":"user","content":"and?"}])");
  const auto input = ok("GET", "/v1/responses/" + id_of(again) + "/input_items?order=asc");
  EXPECT_EQ(input.at("data").at(0).at("content").at(0).at("text"), "first this then that");
}

TEST_F(ResponsesApi, APromptOfTheRegistryIsFilledInAndItsSettingsHold) {
  prompts_.put("greet",
               parse_prompt(parse_json(R"({"messages":[{"role":"user","content":"Hello {{who}}"}],)"
                                       R"("settings":{"temperature":0.25,"top_p":0.5}})")),
               {}, 1);
  const auto made = ask(R"("top_p":0.75,"prompt":{"id":"greet","variables":{"who":"Ada"}})");
  EXPECT_EQ(text_of(made), "Hello Ada");
  EXPECT_EQ(made.at("temperature"), 0.25);
  EXPECT_EQ(made.at("top_p"), 0.75);
  EXPECT_EQ(made.at("prompt").at("version"), "1");
}

TEST_F(ResponsesApi, TakesTheSamplingFieldsOfTheOtherRoutes) {
  Services services;
  services.gateway = &running_.gateway;
  Request request;
  request.body =
      R"({"model":"demo","input":"a","repetition_penalty":1.5,"ignore_eos":true,"seed":-5,)"
      R"("logit_bias":{"5":10},"typ_p":0.5,"cache_prompt":false,"timings_per_token":false,)"
      R"("t_max_predict_ms":100,"thinking_budget_tokens":7,"n_discard":0,)"
      R"("return_progress":true})";
  const ChatRequest read = parse_ask(services, request).chat;
  EXPECT_EQ(read.sampling.repeat_penalty, 1.5f);
  EXPECT_TRUE(read.ignore_end_tokens);
  EXPECT_EQ(read.sampling.seed, static_cast<uint64_t>(int64_t{-5}));
  EXPECT_EQ(read.sampling.logit_bias.at(5), 10.0f);
  EXPECT_EQ(read.sampling.typical_p, 0.5f);
  EXPECT_TRUE(read.computes_anew);
  EXPECT_EQ(read.most_ms, 100);
  EXPECT_EQ(read.reasoning.max_tokens, 7);
  EXPECT_EQ(read.ignored, (Names{"return_progress"}));
}

TEST_F(ResponsesApi, IsThereWithoutV1Too) {
  const auto made = ok("POST", "/responses", R"({"model":"demo","input":"hello"})");
  EXPECT_EQ(text_of(made), "hello");
  EXPECT_EQ(ok("GET", "/responses/" + id_of(made)), made);
  EXPECT_EQ(ok("POST", "/responses/input_tokens", R"({"model":"demo","input":"hello"})"),
            ok("POST", "/v1/responses/input_tokens", R"({"model":"demo","input":"hello"})"));
}

TEST_F(ResponsesApi, TheModelInMemoryNeedsNoName) {
  const std::string body = R"({"input":"hello"})";
  EXPECT_EQ(ok("POST", "/v1/responses", body).at("model"), "demo");
  EXPECT_GT(ok("POST", "/v1/responses/input_tokens", body).at("input_tokens").as_int64(), 0);
}

TEST_F(ResponsesApi, AnItemIsReferredToByItsId) {
  const auto first = ask(R"("input":"alpha")");
  const auto item = id_of(first.at("output").at(0));
  const auto second = ask(R"("input":[{"type":"item_reference","id":")" + item +
                          R"("},{"role":"user","content":"beta"}])");
  const auto input = ok("GET", "/v1/responses/" + id_of(second) + "/input_items?order=asc");
  EXPECT_EQ(input.at("data").at(0).at("content").at(0).at("text"), "alpha");
}

}  // namespace
}  // namespace strata::api::responses
