#include <limits>

#include <gtest/gtest.h>

#include "api/dialect/openai/openai.h"
#include "api/dialect/openai/testing/chat_bodies.h"
#include "api/dialect/openai/testing/refused_field.h"
#include "core/testing/expect_error.h"

namespace strata::api::openai {
namespace {

using testing::body_of;
using testing::parsed;
using testing::with_tools;

std::string refused_field(const std::string& body) {
  return testing::refused_field([&] { parse_chat(body); });
}

TEST(ChatRequests, FieldsOfLlamacppsThatAskForNothingArePassedOver) {
  const std::string quiet =
      R"("id_slot": -1, "n_keep": -1, "min_keep": 0, "timings_per_token": false, "lora": [],
         "return_progress": false, "return_tokens": false, "response_fields": [],
         "backend_sampling": false, "parse_tool_calls": true, "reasoning_format": "auto",
         "t_max_predict_ms": -1, "dynatemp_range": 0, "dynatemp_exponent": 1, "n_probs": 0,
         "post_sampling_probs": false, "cache_prompt": true, "thinking_budget_tokens": -1,
         "t_max_prompt_ms": 0, "n_indent": 0, "n_discard": 0, "n_cache_reuse": 0, "verbose": false,
         "grammar_lazy": false, "adaptive_target": -1, "adaptive_decay": 0.5, "n_cmpl": 1,
         "n_predict": -2)";
  const ChatRequest request = parsed(body_of("a", quiet + R"(, "strict": true)"));
  EXPECT_TRUE(request.ignored.empty());
  EXPECT_FALSE(request.computes_anew);
  EXPECT_EQ(request.n_logprobs, -1);
  EXPECT_EQ(request.reasoning.max_tokens, std::nullopt);
}

TEST(ChatRequests, FieldsOfLlamacppsThatAskForMoreAreNamed) {
  const std::vector<std::string> asking{R"("id_slot": 3)",
                                        R"("n_keep": 0)",
                                        R"("samplers": ["top_k"])",
                                        R"("samplers": "edkypmxt")",
                                        R"("t_max_prompt_ms": 500)",
                                        R"("n_indent": 2)",
                                        R"("n_cache_reuse": 256)",
                                        R"("verbose": true)",
                                        R"("sse_ping_interval": 5)",
                                        R"("return_progress": true)",
                                        R"("return_tokens": true)",
                                        R"("response_fields": ["content"])",
                                        R"("backend_sampling": true)",
                                        R"("parse_tool_calls": false)",
                                        R"("reasoning_format": "none")"};
  for (const std::string& field : asking) {
    const std::string name = field.substr(1, field.find('"', 1) - 1);
    EXPECT_EQ(parsed(body_of("a", field)).ignored, std::vector<std::string>{name});
  }
}

TEST(ChatRequests, FieldsOfLlamacppsThatWouldChangeTheAnswerAreRefusedAsNotSupported) {
  for (const auto& [field, name] : {std::pair{R"("lora": [{"id": 0}])", "lora"},
                                    {R"("min_keep": 2)", "min_keep"},
                                    {R"("grammar_lazy": true)", "grammar_lazy"},
                                    {R"("adaptive_target": 0.5)", "adaptive_target"},
                                    {R"("dynatemp_range": 0.5)", "dynatemp_range"},
                                    {R"("post_sampling_probs": true)", "post_sampling_probs"}}) {
    EXPECT_EQ(refused_field(body_of("a", field)), name);
  }
  for (const char* field : {R"("dynatemp_range": 0.5)", R"("post_sampling_probs": true)"}) {
    const Error error = strata::testing::error_of([&] { parse_chat(body_of("a", field)); });
    EXPECT_NE(error.message().find("which is not supported"), std::string::npos) << field;
  }
}

TEST(ChatRequests, FieldsOfLlamacppsHaveTheirTypes) {
  for (const char* field :
       {R"("id_slot": "abc")", R"("samplers": 5)", R"("samplers": [5])", R"("response_fields": 7)",
        R"("return_tokens": "yes")", R"("return_progress": {})", R"("reasoning_format": 5)",
        R"("n_keep": "x")", R"("n_discard": [])", R"("parse_tool_calls": 1)",
        R"("backend_sampling": 1)", R"("sse_ping_interval": 0)", R"("min_keep": "x")"}) {
    const std::string name = std::string(field).substr(1, std::string(field).find('"', 1) - 1);
    EXPECT_EQ(refused_field(body_of("a", field)), name);
  }
}

TEST(ChatRequests, BiasesMayBePairsAndBan) {
  const auto biases = [](const std::string& given) {
    return parsed(body_of("a", R"("logit_bias": )" + given)).sampling.logit_bias;
  };
  EXPECT_EQ(biases(R"([[5, 1.5], [7, -100]])"), biases(R"({"5": 1.5, "7": -100})"));
  EXPECT_EQ(biases(R"({"5": false})").at(5), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(biases(R"([[5, false]])"), biases(R"({"5": false})"));
  EXPECT_EQ(refused_field(body_of("a", R"("logit_bias": [["5", 1]])")), "logit_bias");
  EXPECT_EQ(refused_field(body_of("a", R"("logit_bias": [[5, 101]])")), "logit_bias.5");
}

TEST(ChatRequests, ALimitOfTimeIsAnyInteger) {
  const auto limit = [](const std::string& ms) {
    return parsed(body_of("a", R"("t_max_predict_ms": )" + ms)).most_ms;
  };
  EXPECT_EQ(limit("100"), 100);
  for (const char* none : {"0", "-1", "-9223372036854775808", "9223372036854775807",
                           "18446744073709551615", "1e300"}) {
    EXPECT_EQ(limit(none), 0) << none;
  }
  EXPECT_EQ(refused_field(body_of("a", R"("t_max_predict_ms": 0.5)")), "t_max_predict_ms");
}

TEST(ChatRequests, NProbsSaysWhatLogprobsSay) {
  const auto told = [](const std::string& fields) {
    return parsed(body_of("a", fields)).n_logprobs;
  };
  EXPECT_EQ(told(R"("logprobs": true, "top_logprobs": 3, "n_probs": 3)"), 3);
  EXPECT_EQ(told(R"("logprobs": true, "n_probs": 3)"), 3);
  EXPECT_EQ(told(R"("logprobs": false, "n_probs": 0)"), -1);
  for (const char* differing : {R"("logprobs": true, "top_logprobs": 1, "n_probs": 3)",
                                R"("logprobs": true, "top_logprobs": 3, "n_probs": 0)",
                                R"("logprobs": false, "n_probs": 1)"}) {
    EXPECT_EQ(refused_field(body_of("a", differing)), "n_probs") << differing;
  }
}

TEST(ChatRequests, ASchemaOfLlamacppsThatSaysNothingIsOneOfObjects) {
  using Kind = inference::OutputRule::Kind;
  for (const char* field : {R"("json_schema": {})", R"("json_schema": "{}")",
                            R"("response_format": {"type": "json_object", "schema": {}})"}) {
    EXPECT_EQ(parsed(body_of("a", field)).output.kind, Kind::json_object) << field;
  }
  EXPECT_EQ(parsed(body_of("a", R"("json_schema": {"type": "array"})")).output.kind,
            Kind::json_schema);
}

TEST(ChatRequests, FieldsOfLlamacppsThatMeanSomethingHereAreHonoured) {
  const ChatRequest request = parsed(body_of(
      "a", R"("n_predict": 5, "typ_p": 0.5, "cache_prompt": false, "thinking_budget_tokens": 7,
              "t_max_predict_ms": 100, "n_probs": 3)"));
  EXPECT_EQ(request.most_ms, 100);
  EXPECT_EQ(request.sampling.max_tokens, 5);
  EXPECT_EQ(request.sampling.typical_p, 0.5f);
  EXPECT_TRUE(request.computes_anew);
  EXPECT_EQ(request.reasoning.max_tokens, 7);
  EXPECT_EQ(request.n_logprobs, 3);
  EXPECT_TRUE(request.ignored.empty());
  EXPECT_EQ(refused_field(body_of("a", R"("typ_p": 0.5, "typical_p": 0.6)")), "typ_p");
  EXPECT_EQ(parsed(body_of("a", R"("n_cmpl": 2)")).n, 2);
  EXPECT_EQ(refused_field(body_of("a", R"("n_cmpl": 2, "n": 1)")), "n_cmpl");
  EXPECT_EQ(parsed(body_of("a", R"("n_predict": 0)")).sampling.max_tokens, 0);
  EXPECT_EQ(parsed(body_of("a", R"("n_predict": -2)")).sampling.max_tokens, -1);
  EXPECT_EQ(refused_field(body_of("a", R"("max_tokens": 0)")), "max_tokens");
}

TEST(ChatRequests, AnAnswerOfMinusOneTokensHasNoLimit) {
  for (const char* name : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    const auto with = [&](int n) { return body_of("a", fmt::format(R"("{}": {})", name, n)); };
    EXPECT_EQ(parsed(with(-1)).sampling.max_tokens, -1) << name;
    EXPECT_EQ(parsed(with(1)).sampling.max_tokens, 1) << name;
    if (name == std::string_view("n_predict")) continue;  // 0 and -2 mean something there
    EXPECT_EQ(refused_field(with(0)), name);
    EXPECT_EQ(refused_field(with(-2)), name);
  }
  EXPECT_EQ(refused_field(body_of("a", R"("max_tokens": 1, "n_predict": 2)")), "max_tokens");
}

// vLLM's clients send them with every request.
TEST(ChatRequests, FieldsOfVllmsThatAskForWhatIsDoneAnywayAreTaken) {
  const std::string habit =
      R"("skip_special_tokens":true,"spaces_between_special_tokens":true,"min_tokens":0,)"
      R"("include_stop_str_in_output":false,"use_beam_search":false,"best_of":1,"echo":false,)"
      R"("stop_token_ids":[],"bad_words":[],"length_penalty":1.0,"early_stopping":false,)"
      R"("detokenize":true,"include_reasoning":true,"return_tokens_as_token_ids":false)";
  const std::string chat = R"({"messages":[{"role":"user","content":"a"}],)";
  const std::string prompt = R"({"prompt":"a",)";
  EXPECT_TRUE(
      parse_chat(chat + habit + R"(,"add_generation_prompt":true,"add_special_tokens":false})")
          .requests.front()
          .ignored.empty());
  EXPECT_TRUE(parse_completion(prompt + habit + R"(,"add_special_tokens":true})")
                  .requests.front()
                  .ignored.empty());
  const auto expect_unbuilt = [](auto parse, const std::string& body, std::string_view field) {
    try {
      parse(body);
      ADD_FAILURE() << body;
    } catch (const FieldError& error) {
      EXPECT_EQ(error.field(), field);
      EXPECT_TRUE(error.message().ends_with("which is not built")) << error.message();
    }
  };
  for (const auto& [field, value] : {std::pair{"skip_special_tokens", "false"},
                                     {"spaces_between_special_tokens", "false"},
                                     {"include_stop_str_in_output", "true"},
                                     {"use_beam_search", "true"},
                                     {"stop_token_ids", "[2]"},
                                     {"bad_words", R"(["a"])"},
                                     {"length_penalty", "1.5"},
                                     {"early_stopping", "true"},
                                     {"detokenize", "false"},
                                     {"include_reasoning", "false"},
                                     {"return_tokens_as_token_ids", "true"},
                                     {"min_tokens", "3"}}) {
    const std::string said = fmt::format("\"{}\":{}}}", field, value);
    expect_unbuilt(parse_chat, chat + said, field);
    expect_unbuilt(parse_completion, prompt + said, field);
  }
  expect_unbuilt(parse_chat, chat + R"("add_special_tokens":true})", "add_special_tokens");
  expect_unbuilt(parse_completion, prompt + R"("add_special_tokens":false})", "add_special_tokens");
  expect_unbuilt(parse_chat, chat + R"("best_of":2})", "best_of");
  expect_unbuilt(parse_chat, chat + R"("echo":true})", "echo");
}

TEST(ChatRequests, ASeedHas64Bits) {
  const auto seed = [](const std::string& text) {
    return parsed(body_of("a", R"("seed": )" + text)).sampling.seed;
  };
  EXPECT_EQ(seed("5"), 5u);
  EXPECT_EQ(seed("-5"), static_cast<uint64_t>(int64_t{-5}));
  EXPECT_EQ(seed("-9223372036854775808"), uint64_t{1} << 63);
  EXPECT_EQ(seed("-1"), kFreshSeed);
}

TEST(ChatRequests, EveryFormOfToolChoiceIsRead) {
  using Mode = models::ToolChoice::Mode;
  const auto choice = [](const std::string& form) {
    return parsed(with_tools("a", R"("tool_choice": )" + form)).tool_choice;
  };
  EXPECT_EQ(choice(R"("auto")").mode, Mode::automatic);
  EXPECT_EQ(choice(R"("none")").mode, Mode::none);
  EXPECT_EQ(choice(R"("required")").mode, Mode::required);
  EXPECT_TRUE(choice(R"("required")").names.empty());
  const auto named = choice(R"({"type": "function", "function": {"name": "get_time"}})");
  EXPECT_EQ(named.mode, Mode::required);
  EXPECT_EQ(named.names, std::vector<std::string>{"get_time"});
  const std::string allowed =
      R"({"type": "allowed_tools", "allowed_tools": {"mode": "%", "tools":
          [{"type": "function", "function": {"name": "get_weather"}}]}})";
  for (const auto& [word, mode] :
       {std::pair{"auto", Mode::automatic}, {"required", Mode::required}}) {
    std::string form = allowed;
    const auto read = choice(form.replace(form.find('%'), 1, word));
    EXPECT_EQ(read.mode, mode);
    EXPECT_EQ(read.names, std::vector<std::string>{"get_weather"});
  }
  EXPECT_TRUE(choice(R"("auto")").parallel);
  EXPECT_FALSE(parsed(with_tools("a", R"("parallel_tool_calls": false)")).tool_choice.parallel);
}

TEST(ChatRequests, ToolsThatCannotBeMeantAreRefusedByPath) {
  for (const auto& [more, field] : {
           std::pair{R"("tools": [{"type": "custom", "custom": {"name": "x"}}])", "tools[0].type"},
           {R"("tools": [{"type": "function"}])", "tools[0].function"},
           {R"("tools": [{"type": "function", "name": "x", "parameters": {}}])",
            "tools[0].parameters"},
           {R"("tools": [{"name": "x", "input_schema": {}}])", "tools[0].input_schema"},
           {R"("tools": [{"type": "function", "function": {"name": "a b"}}])",
            "tools[0].function.name"},
           {R"("tools": [{"type": "function", "function": {"name": "a", "parameters": []}}])",
            "tools[0].function.parameters"},
           {R"("tools": [{"type": "function", "function": {"name": "a",
               "parameters": {"anyOf": [{"type": "string"}, {"enum": [1, null]}]}}}])",
            "tools[0].function.parameters"},
           {R"("tools": [{"type": "function", "function": {"name": "a"}},
                         {"type": "function", "function": {"name": "a"}}])",
            "tools[1].function.name"},
           {R"("tool_choice": "required")", "tool_choice"},
           {R"("tool_choice": "always")", "tool_choice"},
           {R"("tool_choice": {"type": "function", "function": {"name": "a"}})",
            "tool_choice.function.name"},
           {R"("tool_choice": {"type": "custom", "custom": {"name": "a"}})", "tool_choice.type"},
           {R"("functions": [{"name": "a"}], "tools": [])", "functions"},
           {R"("functions": [{"name": "a"}], "function_call": {"name": "b"})",
            "function_call.function.name"},
       }) {
    EXPECT_EQ(refused_field(body_of("a", more)), field) << more;
  }
}

TEST(ChatRequests, EveryWayToBindAnAnswerIsOneRule) {
  using Kind = inference::OutputRule::Kind;
  const auto rule = [](const std::string& more) { return parsed(body_of("a", more)).output; };
  const std::string schema = R"({"type": "object"})";
  EXPECT_EQ(rule(R"("response_format": {"type": "text"})").kind, Kind::none);
  EXPECT_EQ(rule(R"("response_format": {"type": "json_object"})").kind, Kind::json_object);
  for (
      const auto& more : std::vector<std::string>{
          R"("response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true,
           "schema": )" +
              schema + "}}",
          R"("response_format": {"type": "json_schema", "json_schema": {"schema": )" + schema +
              "}}",
          R"("response_format": {"type": "json_schema", "schema": )" + schema + "}",
          R"("response_format": {"type": "json_object", "schema": )" + schema + "}",
          R"("response_format": {"type": "json_object", "value": )" + schema + "}",
          R"("guided_json": )" + schema, R"("guided_json": "{\"type\": \"object\"}")",
          R"("structured_outputs": {"json": )" + schema + "}", R"("json_schema": )" + schema}) {
    EXPECT_EQ(rule(more).kind, Kind::json_schema) << more;
    EXPECT_EQ(rule(more).schema, parse_json(schema)) << more;
  }
  EXPECT_EQ(rule(R"("guided_regex": "a+")").text, "a+");
  EXPECT_EQ(rule(R"("structured_outputs": {"regex": "a+"})").kind, Kind::regex);
  EXPECT_EQ(rule(R"("guided_choice": ["yes", "no"])").choices.size(), 2u);
  EXPECT_EQ(rule(R"("guided_grammar": "root ::= \"a\"")").kind, Kind::gbnf);
  EXPECT_EQ(rule(R"("guided_grammar": "start: \"a\"")").kind, Kind::lark);
  EXPECT_EQ(rule(R"("grammar": "root ::= \"a\"")").kind, Kind::gbnf);
}

TEST(ChatRequests, TwoRulesOrABrokenOneAreRefused) {
  for (const auto& [more, field] : {
           std::pair{R"("guided_regex": "a", "guided_choice": ["a"])", "guided_choice"},
           {R"("response_format": {"type": "json_object"}, "grammar": "root ::= \"a\"")",
            "grammar"},
           {R"("response_format": {"type": "xml"})", "response_format.type"},
           {R"("response_format": {"type": "json_schema"})", "response_format.json_schema"},
           {R"("response_format": {"type": "json_schema", "json_schema": {"type": "array"}})",
            "response_format.json_schema.schema"},
           {R"("response_format": {"type": "json_schema", "json_schema": {"name": 1}})",
            "response_format.json_schema.name"},
           {R"("response_format": {"type": "json_schema", "json_schema": {}, "schema": {}})",
            "response_format.schema"},
           {R"("guided_json": "{")", "guided_json"},
           {R"("guided_choice": [])", "guided_choice"},
           {R"("structured_outputs": {"structural_tag": "x"})",
            "structured_outputs.structural_tag"},
       }) {
    EXPECT_EQ(refused_field(body_of("a", more)), field) << more;
  }
}

TEST(ChatRequests, AnEffortSaysWhetherAndHowMuchToThink) {
  EXPECT_EQ(parsed(body_of("a")).reasoning.think, std::nullopt);
  EXPECT_EQ(parsed(body_of("a", R"("reasoning_effort": "none")")).reasoning.think, false);
  const auto high = parsed(body_of("a", R"("reasoning_effort": "high")")).reasoning;
  EXPECT_EQ(high.think, true);
  EXPECT_EQ(high.effort, "high");
  EXPECT_EQ(refused_field(body_of("a", R"("reasoning_effort": "huge")")), "reasoning_effort");
}

TEST(ChatRequests, HistoryKeepsCallsResultsAndRefusals) {
  const auto messages = parsed(R"({"model": "m", "messages": [
    {"role": "developer", "content": [{"type": "text", "text": "be "},
                                      {"type": "text", "text": "kind"}]},
    {"role": "user", "content": "a", "name": "eve"},
    {"role": "assistant", "content": null, "refusal": null, "annotations": [], "reasoning": "hm",
     "tool_calls": [{"id": "c1", "type": "function",
                     "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    {"role": "assistant", "content": null, "refusal": "Never."},
    {"role": "assistant", "function_call": {"name": "g", "arguments": "{\"a\":1}"}},
    {"role": "function", "name": "g", "content": "43"}]})")
                            .conversation.messages;
  ASSERT_EQ(messages.size(), 8u);
  EXPECT_EQ(messages[0].content, "be kind");
  EXPECT_EQ(messages[1].name, "eve");
  EXPECT_EQ(messages[2].reasoning, "hm");
  EXPECT_EQ(messages[2].tool_calls.at(0).id, "c1");
  EXPECT_EQ(messages[3].tool_call_id, "c1");
  EXPECT_EQ(messages[3].content, "42");
  EXPECT_EQ(messages[4].content, "No.");
  EXPECT_EQ(messages[5].content, "Never.");
  EXPECT_EQ(messages[6].tool_calls.at(0).arguments, R"({"a":1})");
  EXPECT_EQ(messages[7].role, "tool");
  EXPECT_EQ(messages[7].name, "g");
}

TEST(ChatRequests, PartsThatAreNoTextAreRefusedByTheirPath) {
  for (const char* part :
       {R"({"type": "image_url", "image_url": {"url": "x"}})",
        R"({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}})",
        R"({"type": "file", "file": {"file_id": "f"}})",
        R"({"type": "refusal", "refusal": "no"})"}) {
    const std::string body =
        fmt::format(R"({{"model": "m", "messages": [{{"role": "user", "content": "a"}},
                    {{"role": "user", "content": [{{"type": "text", "text": "b"}}, {}]}}]}})",
                    part);
    EXPECT_EQ(refused_field(body), "messages[1].content[1].type") << part;
  }
}

TEST(ChatRequests, ABegunAnswerIsGoneOnWithOnlyWhereThereIsOne) {
  const auto request = parsed(R"({"model": "m", "continue_final_message": true, "messages":
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})");
  EXPECT_TRUE(request.continue_last);
  EXPECT_FALSE(request.conversation.add_generation_prompt);
  EXPECT_EQ(refused_field(body_of("a", R"("continue_final_message": true)")),
            "continue_final_message");
}

}  // namespace
}  // namespace strata::api::openai
