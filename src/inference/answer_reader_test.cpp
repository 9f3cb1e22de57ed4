// An answer's tokens become reasoning, calls and content: stop strings, log-probabilities, the
// budget of the reasoning, the end behind enough calls.
#include "inference/answer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/constraint/matchers.h"
#include "inference/generation.h"
#include "inference/testing/byte_tokenizer.h"

namespace strata::inference {
namespace {

using ::testing::ElementsAre;

constexpr const char* kTemplate = "{{ tools }}<think></think><tool_call>";

struct Outcome {
  std::string text, reasoning;
  std::vector<models::ToolCallPiece> calls;
  std::vector<std::string> tokens;  // that have log-probabilities
  Event last;
};

// What a request hears whose model would write the script, one token after the other.
class AnswerReaderTest : public ::testing::Test {
 protected:
  AnswerReaderTest() {
    request_.prompt = {'x'};
    request_.sampler.temperature = 0.0f;
    const json::value tools = parse_json(R"([{"type": "function", "function": {"name": "f"}}])");
    plan_ = models::plan_output(kTemplate, *tokenizer_, "x", models::ToolSet(tools.as_array(), {}));
  }

  Outcome run(std::string_view script) {
    request_.reading = plan_;
    Outcome outcome;
    Matchers matchers(tokenizer_, tokenizer_->n_vocab());
    Generation generation(
        1, request_,
        [&](Event&& event) {
          outcome.text += event.text;
          outcome.reasoning += event.reasoning;
          for (auto& call : event.calls) outcome.calls.push_back(std::move(call));
          for (auto& token : event.tokens) outcome.tokens.push_back(token.bytes);
          if (event.kind == Event::Kind::finished) outcome.last = std::move(event);
        },
        tokenizer_, tokenizer_->n_vocab(), 4096, nullptr, matchers.find(request_));
    auto ids = tokenizer_->encode_text(script);
    ids.push_back(tokenizer_->eos());
    for (size_t i = 0; i < ids.size() && !generation.ended(); ++i) {
      std::vector<float> logits(static_cast<size_t>(tokenizer_->n_vocab()), 0.0f);
      logits[static_cast<size_t>(ids[i])] = 9.0f;
      generation.take(static_cast<int32_t>(i), logits);
    }
    if (!generation.ended()) generation.end(FinishReason::cancelled);
    generation.finish();
    return outcome;
  }

  // The answer is {"a": INTEGER}, behind what the plan says of the reasoning.
  void rule_text() {
    request_.output = {.kind = OutputRule::Kind::json_schema,
                       .schema = parse_json(R"({"type": "object", "required": ["a"],
                           "properties": {"a": {"type": "integer", "maximum": 9, "minimum": 0}},
                           "additionalProperties": false})")};
    request_.frame.front = models::answer_front(plan_->options, true);
  }
  void rule_calls() {
    for (auto& call : plan_->options.format->call_triggers(plan_->options.tools)) {
      request_.triggers.push_back(
          {.begin = call.begin,
           .rule = {.kind = OutputRule::Kind::lark, .text = std::move(call.lark)},
           .bare = call.bare,
           .last = call.last});
    }
  }

  std::shared_ptr<testing::ByteTokenizer> tokenizer_ =
      std::make_shared<testing::ByteTokenizer>(std::vector<std::string>{"</think>", "ello"});
  GenerateRequest request_;
  std::shared_ptr<models::OutputPlan> plan_;
};

constexpr const char* kCall = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>";

TEST_F(AnswerReaderTest, PartsComeApartAndTheTokensOfReasoningAreCounted) {
  const auto outcome = run(std::string("<think>ab</think>Hello\n") + kCall);
  EXPECT_EQ(outcome.reasoning, "ab");
  EXPECT_EQ(outcome.text, "Hello");
  ASSERT_EQ(outcome.calls.size(), 1u);
  EXPECT_EQ(outcome.calls[0].arguments, "{\"a\": 1}");
  EXPECT_EQ(outcome.last.reason, FinishReason::stop);
  // The last byte of the opening tag, two letters and the closing tag.
  EXPECT_EQ(outcome.last.usage.reasoning_tokens, 4);
}

TEST_F(AnswerReaderTest, WithoutAPlanAllTextIsContent) {
  plan_ = nullptr;
  const std::string script = std::string("<think>ab</think>") + kCall;
  EXPECT_EQ(run(script).text, script);
}

TEST_F(AnswerReaderTest, StopStringsActOnTheContentAlone) {
  request_.stop = {"lo"};
  const auto outcome = run("<think>lo</think>Hello");
  EXPECT_EQ(outcome.reasoning, "lo");
  EXPECT_EQ(outcome.text, "Hel");
  EXPECT_EQ(outcome.last.stop_string, "lo");
}

TEST_F(AnswerReaderTest, LogProbabilitiesStayWithTheContent) {
  request_.n_logprobs = 0;
  const auto outcome = run(std::string("<think>ab</think>Hello\n") + kCall + "!");
  EXPECT_THAT(outcome.tokens, ElementsAre("H", "ello", "!"));
}

TEST_F(AnswerReaderTest, ABudgetThatIsUsedUpClosesTheReasoning) {
  plan_->options.state = models::ThinkState::open;
  plan_->max_reasoning_tokens = 3;
  const std::string script = "abcdefgh";
  const auto outcome = run(script);
  EXPECT_EQ(outcome.reasoning, "abc");
  // The closing takes the places of as many tokens of the script.
  EXPECT_EQ(outcome.text, script.substr(3 + plan_->closing.size()));
}

TEST_F(AnswerReaderTest, AnAnswerEndsBehindAsManyCallsAsItMayMake) {
  plan_->max_calls = 1;
  const auto outcome = run(std::string(kCall) + "\n" + kCall);
  EXPECT_EQ(outcome.calls.size(), 1u);
  EXPECT_EQ(outcome.text, "");
  EXPECT_EQ(outcome.last.reason, FinishReason::stop);
}

TEST_F(AnswerReaderTest, FragmentsOfACallComeTokenByTokenAndTheLastOneEndsTheAnswer) {
  plan_->options.fragments = true;
  plan_->max_calls = 1;
  const auto outcome = run(std::string("Hi ") + kCall + "\n" + kCall);
  ASSERT_GT(outcome.calls.size(), 4u);
  std::string arguments;
  for (const auto& piece : outcome.calls) {
    EXPECT_EQ(piece.index, 0);
    EXPECT_EQ(piece.name.empty(), &piece != &outcome.calls.front());
    arguments += piece.arguments;
  }
  EXPECT_EQ(arguments, "{\"a\": 1}");
  EXPECT_EQ(outcome.text, "Hi");
  EXPECT_EQ(outcome.last.reason, FinishReason::stop);
}

TEST_F(AnswerReaderTest, ACallInFragmentsThatIsCutOffByTheLimitEndsThere) {
  plan_->options.fragments = true;
  request_.max_tokens = 44;
  const auto outcome = run(kCall);
  std::string arguments;
  for (const auto& piece : outcome.calls) arguments += piece.arguments;
  EXPECT_EQ(arguments, "{\"a\": ");
  EXPECT_EQ(outcome.text, "");
  EXPECT_EQ(outcome.last.reason, FinishReason::length);
}

TEST_F(AnswerReaderTest, ARuleHoldsFromTheEndOfTheReasoningOn) {
  rule_text();
  for (const char* script :
       {"<think>a{b</think>\n\n{\"a\": 1}", "{\"a\": 1}", "<think></think>{\"a\": 1}"}) {
    const auto outcome = run(script);
    EXPECT_EQ(outcome.text, "{\"a\": 1}") << script;
    EXPECT_EQ(outcome.last.reason, FinishReason::stop);
  }
  EXPECT_FALSE(run("Well").text.starts_with("W"));
  plan_->options.state = models::ThinkState::open;
  rule_text();
  const auto open = run("ab</think>\n{\"a\": 1}");
  EXPECT_EQ(open.reasoning, "ab");
  EXPECT_EQ(open.text, "{\"a\": 1}");
  EXPECT_FALSE(run("ab</think>Well").text.starts_with("W"));
}

TEST_F(AnswerReaderTest, BeforeARuleTheReasoningNeitherEndsTheAnswerNorRunsIntoIt) {
  tokenizer_ = std::make_shared<testing::ByteTokenizer>(std::vector<std::string>{">x"});
  plan_->options.state = models::ThinkState::open;
  rule_text();
  // The end token and ">x" are not taken: the reasoning goes on.
  EXPECT_EQ(run("ab").last.reason, FinishReason::cancelled);
  const auto outcome = run("ab</think>xyz");
  EXPECT_EQ(outcome.text, "");
  EXPECT_NE(outcome.reasoning.find("yz"), std::string::npos) << outcome.reasoning;
}

TEST_F(AnswerReaderTest, ABudgetOfTheReasoningIsKeptBeforeARule) {
  plan_->options.state = models::ThinkState::open;
  plan_->max_reasoning_tokens = 3;
  rule_text();
  const std::string closed(plan_->closing.size(), '.');  // the closing takes their places
  const auto outcome = run("abc" + closed + "{\"a\": 1}");
  EXPECT_EQ(outcome.reasoning, "abc");
  EXPECT_EQ(outcome.text, "{\"a\": 1}");
}

TEST_F(AnswerReaderTest, AnAnswerWithARuleAndToolsIsEitherTextByItOrCalls) {
  rule_text();
  rule_calls();
  EXPECT_EQ(run("{\"a\": 1}").text, "{\"a\": 1}");
  EXPECT_EQ(run(std::string(kCall) + "\n" + kCall).calls.size(), 2u);
  EXPECT_EQ(run(std::string("<think>x</think>\n") + kCall).calls.size(), 1u);
  EXPECT_FALSE(run("Well").text.starts_with("W"));
  // Behind a call there is no text.
  EXPECT_EQ(run(std::string(kCall) + "{\"a\": 1}").text.find("{\"a\": 1}"), std::string::npos);
}

TEST_F(AnswerReaderTest, AnAnswerThatHasToCallBeginsWithACall) {
  rule_calls();
  request_.frame = {.front = models::answer_front(plan_->options, true), .calls_only = true};
  EXPECT_EQ(run(kCall).calls.size(), 1u);
  EXPECT_EQ(run(std::string("<think>x</think>\n") + kCall).calls.size(), 1u);
  for (const char* script : {"Well", "{\"a\": 1}"}) {
    EXPECT_EQ(run(script).text, "") << "a call that is being written";
  }
}

TEST_F(AnswerReaderTest, OnChannelsARuleIsOfTheFinalMessage) {
  plan_ = models::plan_output("{{ tools }}<|channel|>analysis<|message|>", *tokenizer_, "x", {});
  rule_text();
  const std::string final_message = "<|channel|>final<|message|>";
  const auto outcome = run("<|channel|>analysis<|message|>hm<|end|><|start|>assistant" +
                           final_message + "{\"a\": 1}");
  EXPECT_EQ(outcome.reasoning, "hm");
  EXPECT_EQ(outcome.text, "{\"a\": 1}");
  EXPECT_EQ(run(final_message + "{\"a\": 1}").text, "{\"a\": 1}");
  EXPECT_FALSE(run(final_message + "Well").text.starts_with("W"));
}

TEST_F(AnswerReaderTest, ACallThatIsCutOffByTheLimitIsNoContent) {
  request_.max_tokens = 20;
  const auto outcome = run(kCall);
  EXPECT_EQ(outcome.text, "");
  EXPECT_TRUE(outcome.calls.empty());
  EXPECT_EQ(outcome.last.reason, FinishReason::length);
}

}  // namespace
}  // namespace strata::inference
