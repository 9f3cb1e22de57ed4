// Answers of a model with random logits follow their rules: with the batch, with speculation, each
// of n choices for itself.
#include <future>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/constraint/grammar.h"
#include "inference/engine_thread.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/scripted_executor.h"
#include "models/chat/output/output_plan.h"

namespace strata::inference {
namespace {

using testing::ByteTokenizer;
using testing::Script;
using testing::ScriptedExecutor;
using testing::ScriptLog;

using Vocabulary = std::shared_ptr<ByteTokenizer>;

Vocabulary vocabulary_with(std::vector<std::string> more) {
  std::vector<std::string> pieces{"{\"", "\":", "\"}", "\", \"", "true",
                                  "12",  "ab",  "]",   "}}",     "\""};
  pieces.insert(pieces.end(), more.begin(), more.end());
  return std::make_shared<ByteTokenizer>(std::move(pieces));
}

const Vocabulary kVocabulary = vocabulary_with({});

std::unique_ptr<Engine> engine_of(bool speculate, Script script = {},
                                  const Vocabulary& vocabulary = kVocabulary) {
  auto made = std::make_shared<models::Model>();
  made->tokenizer = vocabulary;
  made->spec.n_vocab = made->tokenizer->n_vocab();
  made->spec.head.weight = 0;  // it generates text
  EngineOptions options;
  options.speculate = speculate;
  script.n_vocab = made->spec.n_vocab;
  return make_engine(made,
                     std::make_unique<ScriptedExecutor>(script, std::make_shared<ScriptLog>()),
                     options, 4000);
}

struct Answer {
  std::string text;
  std::string reasoning;
  FinishReason reason = FinishReason::error;
  auto operator<=>(const Answer&) const = default;
};

struct Asked {
  std::future<Answer> answer;
  std::unique_ptr<Engine::Handle> handle;
};

Asked ask(Engine& engine, GenerateRequest request) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = std::make_shared<Answer>();
  Asked asked;
  asked.answer = promise->get_future();
  asked.handle = engine.submit(std::move(request), [promise, answer](Event&& event) {
    answer->text += event.text;
    answer->reasoning += event.reasoning;
    if (event.kind != Event::Kind::finished) return;
    answer->reason = event.reason;
    promise->set_value(*answer);
  });
  return asked;
}

GenerateRequest request_of(std::string_view schema, uint64_t seed) {
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.sampler.seed = seed;
  request.max_tokens = 3000;
  request.output.kind = OutputRule::Kind::json_schema;
  request.output.schema = parse_json(schema);
  return request;
}

bool fits(const OutputRule& rule, std::string_view text) {
  const auto grammar = compile(rule);
  grammar->expressions.allow(10'000'000);
  ExprId place = grammar->start;
  for (const char c : text) place = grammar->expressions.derivative(place, static_cast<uint8_t>(c));
  return grammar->expressions.nullable(place);
}

constexpr const char* kSchema =
    R"({"type":"object","properties":{"a":{"type":"string","maxLength":8},"b":{"type":"boolean"},
        "c":{"type":"array","items":{"type":"integer","maximum":99},"maxItems":3}},
        "required":["a","b"],"additionalProperties":false})";

TEST(ConstrainedEngine, WritesWhatTheSchemaSays) {
  std::vector<Answer> answers;
  for (const bool speculate : {false, true}) {
    const auto engine = engine_of(speculate);
    std::vector<Asked> asked;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      for (int32_t choice = 0; choice < 2; ++choice) {
        GenerateRequest request = request_of(kSchema, seed);
        request.choice = choice;
        asked.push_back(ask(*engine, std::move(request)));
      }
    }
    for (Asked& one : asked) answers.push_back(one.answer.get());
  }
  ASSERT_EQ(answers.size(), 32u);
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(answers[i], answers[i + 16]) << "speculation changed the answer";
    EXPECT_EQ(answers[i].reason, FinishReason::stop);
    EXPECT_TRUE(fits(request_of(kSchema, 0).output, answers[i].text)) << answers[i].text;
    const json::value value = parse_json(answers[i].text);
    EXPECT_TRUE(value.get_object().contains("a") && value.get_object().at("b").is_bool());
  }
}

// Most of a model's likeliest tokens are none of the schema's: those that it allows count.
TEST(ConstrainedEngine, AsksForNoMoreLogitsThanItNeeds) {
  for (const float temperature : {0.0f, 1.0f}) {
    for (const int32_t top_k : {0, 4}) {
      std::vector<Answer> answers;
      for (const bool only_wanted : {false, true}) {
        const auto engine = engine_of(true, {.only_wanted = only_wanted});
        for (uint64_t seed = 0; seed < 6; ++seed) {
          GenerateRequest request = request_of(kSchema, seed);
          request.sampler.temperature = temperature;
          request.sampler.top_k = top_k;
          request.max_tokens = 200;
          answers.push_back(ask(*engine, std::move(request)).answer.get());
        }
      }
      for (size_t i = 0; i < 6; ++i) EXPECT_EQ(answers[i], answers[i + 6]);
    }
  }
}

// What the rule foretells may open a reasoning, of which any token may come.
TEST(ConstrainedEngine, AReasoningThatBeginsAmongGuessesIsFree) {
  std::vector<Answer> answers;
  for (const bool speculate : {false, true}) {
    const auto engine = engine_of(speculate, {.only_wanted = true});
    for (int32_t i = 0; i < 16; ++i) {
      GenerateRequest request = request_of(kSchema, 1);
      request.prompt.push_back(i);
      const auto plan = models::plan_output("<think></think>", *kVocabulary, "x", {});
      plan->max_reasoning_tokens = 40;
      request.frame.front = models::answer_front(plan->options, true);
      request.reading = plan;
      answers.push_back(ask(*engine, std::move(request)).answer.get());
    }
    EXPECT_EQ(engine->stats().right_guesses > 10, speculate);
  }
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(answers[i], answers[i + 16]);
  const auto has_reasoned = [](const Answer& answer) { return answer.reasoning.size() > 20; };
  EXPECT_GT(std::ranges::count_if(answers, has_reasoned), 2);
}

std::vector<int32_t> tokens_of(std::string_view text, const Vocabulary& vocabulary = kVocabulary) {
  const auto ids = vocabulary->encode_text(text);
  return {ids.begin(), ids.end()};
}

// The tokens that close a reasoning are none of the rule's, though they may look like such.
TEST(ConstrainedEngine, GuessesOfAForcedClosingLeaveTheRuleWhereItIs) {
  const Vocabulary vocabulary = vocabulary_with({"<think>", "</think>"});
  constexpr size_t kRequests = 3000;
  const std::string text = "x<think>\n</think>\n\n\n\n\n\nabx<think>";
  std::vector<Answer> answers;
  for (const bool speculate : {false, true}) {
    const auto engine = engine_of(speculate, {.only_wanted = true}, vocabulary);
    for (size_t i = 0; i < kRequests; ++i) {
      GenerateRequest request;
      request.prompt = tokens_of(text, vocabulary);
      request.prompt.insert(request.prompt.begin(), static_cast<int32_t>(i % 250));
      request.sampler.temperature = 4.0f;
      request.sampler.seed = i;
      request.max_tokens = 60;
      request.output = {.kind = OutputRule::Kind::regex, .text = "[ab]{3}"};
      const auto plan = models::plan_output("<think></think>", *vocabulary, text, {});
      plan->max_reasoning_tokens = 0;
      request.frame.front = models::answer_front(plan->options, false);
      request.reading = plan;
      answers.push_back(ask(*engine, std::move(request)).answer.get());
    }
  }
  for (size_t i = 0; i < kRequests; ++i) EXPECT_EQ(answers[i], answers[i + kRequests]) << i;
}

// A request whose text repeats itself and its prompt, with some sampler.
GenerateRequest repetitive_request(std::mt19937& random) {
  constexpr const char* kText = R"({"b": true, "a": "abab", "c": [12, 12]})";
  const auto one_of = [&](auto... values) {
    const std::common_type_t<decltype(values)...> all[] = {values...};
    return all[random() % sizeof...(values)];
  };
  GenerateRequest request = request_of(kSchema, random());
  if (random() % 3 == 0)
    request.output = {.kind = OutputRule::Kind::regex, .text = "(ab|12){1,9}true"};
  request.prompt =
      tokens_of(std::string(kText) + kText + (random() % 2 == 0 ? "ab12ab12ab12" : ""));
  if (random() % 3 == 0) request.prediction = tokens_of(kText);
  request.max_tokens = one_of(7, 60);
  request.sampler.temperature = one_of(0.0f, 0.3f, 1.0f);
  request.sampler.top_k = one_of(0, 1, 4);
  request.sampler.min_p = one_of(0.0f, 0.1f);
  request.sampler.repeat_penalty = one_of(1.0f, 1.3f);
  request.sampler.mirostat = one_of(0, 0, 2);
  request.sampler.dry_multiplier = one_of(0.0f, 0.0f, 0.8f);
  if (random() % 4 == 0) request.sampler.logit_bias = {{'a', 4.0f}, {'"', -4.0f}};
  request.n_logprobs = one_of(-1, -1, 2);
  request.ignore_end_tokens = random() % 4 == 0;
  return request;
}

TEST(ConstrainedEngine, AnswersAreTheSameWithAndWithoutGuesses) {
  std::vector<Answer> answers;
  for (const bool speculate : {false, true}) {
    Script script{.n_pages = 90, .only_wanted = speculate, .memory = 2};
    const auto engine = engine_of(speculate, script);
    std::mt19937 random(5);
    for (int batch = 0; batch < 60; ++batch) {
      std::vector<Asked> asked;
      for (auto n = 1 + random() % 3; n > 0; --n) {
        asked.push_back(ask(*engine, repetitive_request(random)));
      }
      for (Asked& one : asked) answers.push_back(one.answer.get());
    }
    EXPECT_EQ(engine->stats().right_guesses > 200, speculate) << engine->stats().right_guesses;
    EXPECT_EQ(engine->stats().guessed_tokens > engine->stats().right_guesses + 200, speculate);
  }
  const size_t n = answers.size() / 2;
  for (size_t i = 0; i < n; ++i) {
    EXPECT_EQ(answers[i], answers[i + n])
        << i << ": " << answers[i].text << " | " << answers[i + n].text;
    EXPECT_NE(answers[i].reason, FinishReason::error);
  }
}

TEST(ConstrainedEngine, WhatTheRuleForetellsIsVerifiedSeveralAtAStep) {
  constexpr const char* kLong = R"({"type":"object","properties":{"quick_brown_fox":{"const":12}},
                                    "required":["quick_brown_fox"],"additionalProperties":false})";
  int64_t steps[2] = {};
  std::string texts[2];
  for (const bool speculate : {false, true}) {
    const auto engine = engine_of(speculate);
    texts[speculate] = ask(*engine, request_of(kLong, 5)).answer.get().text;
    steps[speculate] = engine->stats().decode_steps;
    EXPECT_EQ(engine->stats().right_guesses > 10, speculate);
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_LE(steps[1] + 10, steps[0]) << "of some twenty letters, each a token";
}

TEST(ConstrainedEngine, BeginsBehindATrigger) {
  const auto engine = engine_of(true);
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.max_tokens = 2000;
  request.ignore_end_tokens = true;
  OutputRule rule;
  rule.kind = OutputRule::Kind::choice;
  rule.choices = {"ONE;", "TWO;"};
  request.triggers = {{"a", rule}};
  const Answer answer = ask(*engine, std::move(request)).answer.get();
  size_t n = 0;
  for (size_t at = answer.text.find('a'); at != std::string::npos;
       at = answer.text.find('a', at + 1)) {
    const std::string behind = answer.text.substr(at + 1, 4);
    if (behind.size() < 4) break;
    EXPECT_TRUE(behind == "ONE;" || behind == "TWO;") << behind;
    ++n;
  }
  EXPECT_GT(n, 0u);
}

TEST(ConstrainedEngine, RefusesARuleThatCannotBeHonoured) {
  const auto engine = engine_of(true);
  EXPECT_THROW(ask(*engine, request_of(R"({"type":"array","uniqueItems":true})", 1)), Error);
  GenerateRequest unmarked = request_of(kSchema, 1);
  unmarked.triggers = {{"", unmarked.output}};
  EXPECT_THROW(ask(*engine, std::move(unmarked)), Error);
}

}  // namespace
}  // namespace strata::inference
