// Tools, reasoning, a message that is gone on with and a text that is filled in, by the local
// backend on a model whose words are the test's.
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing/tiny_backend.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using inference::Event;
using inference::FinishReason;
using ::testing::HasSubstr;

constexpr int32_t kWord = 10, kCall = 11, kClose = 12, kOpen = 13, kRest = 14, kObject = 15,
                  kPython = 16, kString = 17, kUserDefined = 4;
constexpr int32_t kSameAgain = 5;  // whose text becomes the same token again

std::string model_with(const std::string& chat_template) {
  auto builder = models::tiny_llama();
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  while (tokens.size() < 48) tokens.push_back("t" + std::to_string(tokens.size()));
  tokens[kWord] = "word";
  tokens[kCall] = R"(<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>)";
  tokens[kClose] = "</think>";
  tokens[kOpen] = "<tool_call>";
  tokens[kRest] = R"({"name":"f","arguments":{"a":1}}</tool_call>)";
  tokens[kObject] = R"({"name": "f", "parameters": {"a": 1}})";
  tokens[kPython] = "[f(a=1)]";
  tokens[kString] = R"(<tool_call>{"name":"f","arguments":"x"}</tool_call>)";
  std::vector<int32_t> kinds(tokens.size(), 1);
  kinds[0] = 2, kinds[1] = 3, kinds[2] = 3;
  kinds[kClose] = kinds[kOpen] = kUserDefined;
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  builder.set_texts("tokenizer.ggml.tokens", tokens);
  builder.set_u32("llama.context_length", 2048);
  builder.set_text("tokenizer.chat_template", chat_template);
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// All that one answer says.
struct Heard {
  std::string text, reasoning, prompt;
  std::vector<models::ToolCallPiece> calls;
  std::vector<std::string> notices;
  ChatEvent end;
};

class LocalToolsTest : public ::testing::Test {
 protected:
  // A model that always writes the token.
  ChatRequest request(const std::string& chat_template, int32_t token) {
    store_.add("tiny", model_with(chat_template));
    ChatRequest made;
    made.model = "tiny";
    made.conversation.messages = {{.role = "user", .content = "t5"}};
    made.sampling.max_tokens = 12;
    made.sampling.temperature = 0.0f;
    made.sampling.logit_bias = {{token, 100.0f}};
    return made;
  }

  static void offer_tool(ChatRequest& request) {
    request.conversation.tools =
        parse_json(R"([{"type": "function", "function": {"name": "f"}}])").as_array();
  }

  Heard ask(ChatRequest request) {
    const auto local = testing::tiny_backend(store_);
    Heard heard;
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
    const auto answer = local->start(std::move(request), [&](ChatEvent&& event) {
      const std::lock_guard lock(mutex);
      heard.text += event.event.text;
      heard.reasoning += event.reasoning;
      for (auto& call : event.calls) heard.calls.push_back(std::move(call));
      for (const auto& token : event.event.prompt_tokens) heard.prompt += token.bytes;
      if (event.start) heard.prompt = event.start->prompt;
      if (!event.notice.empty()) heard.notices.push_back(event.notice);
      ended = event.event.kind == Event::Kind::finished;
      if (ended) heard.end = std::move(event);
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ended; });
    return heard;
  }

  Error refusal(ChatRequest request) {
    Heard heard = ask(std::move(request));
    EXPECT_EQ(heard.end.event.reason, FinishReason::error);
    return heard.end.event.error.value_or(Error(Code::internal, "none"));
  }

  testing::TinyStore store_;
};

constexpr const char* kTools =
    "{% if tools %}t7 {% endif %}{% for m in messages %}{{ m.content }}{% endfor %} t6 "
    "{# <tool_call> #}";
constexpr const char* kPlain = "{% for m in messages %}{{ m.content }}{% endfor %}";
constexpr const char* kThinks =
    "{% for m in messages %}{{ m.content }} t9 {% endfor %}{% if add_generation_prompt %}"
    "{% if enable_thinking is defined and not enable_thinking %}t8{% else %}<think>\n{% endif %}"
    "{% endif %}{# </think> #}";

TEST_F(LocalToolsTest, CallsOfOfferedToolsAreNoText) {
  ChatRequest asked = request(kTools, kCall);
  offer_tool(asked);
  asked.sampling.max_tokens = 3;
  const Heard heard = ask(asked);
  EXPECT_EQ(heard.text, "");
  ASSERT_EQ(heard.calls.size(), 3u);
  EXPECT_EQ(heard.calls[2].index, 2);
  EXPECT_EQ(heard.calls[2].name, "f");
  EXPECT_EQ(heard.calls[2].arguments, R"({"a":1})");
  EXPECT_NE(heard.calls[0].id, heard.calls[1].id);
}

TEST_F(LocalToolsTest, ASchemaThatCannotBeKeptIsToldOrOfAStrictToolRefused) {
  ChatRequest asked = request(kTools, kCall);
  const auto offer = [&](const std::string& more) {
    asked.conversation.tools =
        parse_json(R"([{"type": "function", "function": {"name": "f", "parameters": )"
                   R"({"type": "object", "properties": {"a": {"type": "strng"}}})" +
                   more + "}}]")
            .as_array();
  };
  offer("");
  ASSERT_EQ(ask(asked).notices.size(), 1u);
  offer(R"(, "strict": true)");
  EXPECT_THAT(refusal(asked).message(), HasSubstr("f is strict"));
  EXPECT_THAT(refusal(asked).message(), HasSubstr("/properties/a/type"));
}

// Such a schema leaves open what the arguments are; they are an object.
TEST_F(LocalToolsTest, TheArgumentsOfARequiredCallAreAnObject) {
  for (const char* schema : {"{}", R"({"type": ["object", "string"]})",
                             R"({"anyOf": [{"type": "string"}, {"type": "object"}]})"}) {
    ChatRequest asked = request(kTools, kString);
    asked.sampling.logit_bias[kCall] = 50.0f;
    asked.conversation.tools =
        parse_json(fmt::format(
                       R"([{{"type": "function", "function": {{"name": "f", "parameters": {}}}}}])",
                       schema))
            .as_array();
    asked.tool_choice.mode = models::ToolChoice::Mode::required;
    asked.sampling.max_tokens = 1;
    const Heard heard = ask(asked);
    EXPECT_EQ(heard.text, "");
    ASSERT_EQ(heard.calls.size(), 1u) << schema;
    EXPECT_EQ(heard.calls[0].arguments, R"({"a":1})");
  }
}

TEST_F(LocalToolsTest, ARuleThatTheVocabularyCannotSpellIsTold) {
  ChatRequest asked = request(kPlain, kWord);
  asked.output = {.kind = inference::OutputRule::Kind::choice, .choices = {"zzz"}};
  const Heard heard = ask(asked);
  ASSERT_TRUE(heard.end.event.error);
  EXPECT_THAT(heard.end.event.error->message(), HasSubstr("the rule of the output"));
}

TEST_F(LocalToolsTest, APredictionIsFollowedBesideTools) {
  ChatRequest asked = request(kTools, kSameAgain);
  offer_tool(asked);
  const std::string text = ask(asked).text;
  asked.prediction = text;
  const Heard heard = ask(asked);
  EXPECT_EQ(heard.text, text);
  EXPECT_GE(heard.end.event.usage.accepted_prediction_tokens, 8);
}

TEST_F(LocalToolsTest, WithoutParallelCallsTheAnswerEndsBehindTheFirst) {
  ChatRequest asked = request(kTools, kCall);
  offer_tool(asked);
  asked.tool_choice.parallel = false;
  const Heard heard = ask(asked);
  EXPECT_EQ(heard.calls.size(), 1u);
  EXPECT_EQ(heard.end.event.reason, FinishReason::stop);
}

TEST_F(LocalToolsTest, WhereNoToolMayBeCalledTheModelIsToldOfNone) {
  ChatRequest asked = request(kTools, kCall);
  offer_tool(asked);
  asked.tool_choice.mode = models::ToolChoice::Mode::none;
  asked.sampling.max_tokens = 1;
  asked.prompt_logprobs = true;
  const Heard none = ask(asked);
  EXPECT_EQ(none.prompt.find("t7"), std::string::npos) << none.prompt;
  EXPECT_THAT(none.text, HasSubstr("<tool_call>"));
  asked.tool_choice.mode = models::ToolChoice::Mode::automatic;
  EXPECT_THAT(ask(asked).prompt, HasSubstr("t7"));
}

TEST_F(LocalToolsTest, ACallThatIsRequiredComesFirst) {
  ChatRequest asked = request(kTools, kOpen);
  offer_tool(asked);
  asked.tool_choice.mode = models::ToolChoice::Mode::required;
  const Heard heard = ask(asked);
  EXPECT_TRUE(heard.notices.empty());
  EXPECT_EQ(heard.text, "");
  EXPECT_FALSE(heard.calls.empty());
}

TEST_F(LocalToolsTest, OfACallThatIsRequiredAndCutOffNothingIsText) {
  for (const bool fragments : {false, true}) {
    ChatRequest asked = request(kTools, kOpen);
    offer_tool(asked);
    asked.tool_choice.mode = models::ToolChoice::Mode::required;
    asked.call_fragments = fragments;
    asked.sampling.max_tokens = 1;
    const Heard heard = ask(asked);
    EXPECT_EQ(heard.text, "");
    EXPECT_TRUE(heard.calls.empty());
    EXPECT_EQ(heard.end.event.reason, FinishReason::length);
  }
}

TEST_F(LocalToolsTest, ACallThatIsRequiredIsMadeInFormatsWithoutAMarkerToo) {
  for (const char* mark : {R"("parameters": dictionary of argument name)", "[func_name(params"}) {
    ChatRequest asked =
        request("{{ tools }}{{ messages[0].content }}{# " + std::string(mark) + " #}", kWord);
    offer_tool(asked);
    EXPECT_THAT(ask(asked).text, HasSubstr("word"));
    asked.tool_choice.mode = models::ToolChoice::Mode::required;
    asked.sampling.max_tokens = 200;
    asked.tool_choice.parallel = false;
    const Heard heard = ask(asked);
    EXPECT_TRUE(heard.notices.empty());
    EXPECT_EQ(heard.text, "");
    ASSERT_EQ(heard.calls.size(), 1u) << mark;
    EXPECT_EQ(heard.calls[0].arguments, R"({"a": 1})");
    EXPECT_EQ(heard.end.event.reason, FinishReason::stop);
  }
}

TEST_F(LocalToolsTest, BesideARuleTheAnswerIsTextByItOrACall) {
  for (const auto& [token, n_calls] : {std::pair{kWord, 0u}, {kCall, 1u}}) {
    ChatRequest asked = request(kTools, token);
    offer_tool(asked);
    asked.tool_choice.parallel = false;
    asked.output = {.kind = inference::OutputRule::Kind::choice, .choices = {"word"}};
    const Heard heard = ask(asked);
    EXPECT_EQ(heard.calls.size(), n_calls);
    EXPECT_EQ(heard.text, n_calls == 0 ? "word" : "");
    EXPECT_EQ(heard.end.event.reason, FinishReason::stop);
    EXPECT_TRUE(heard.notices.empty());
  }
  ChatRequest unknown = request("{{ tools }}{{ messages[0].content }}", kWord);
  offer_tool(unknown);
  unknown.output = {.kind = inference::OutputRule::Kind::json_object};
  const Error error = refusal(unknown);
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_THAT(error.message(), HasSubstr("match a rule or be a call"));
}

TEST_F(LocalToolsTest, AToolChoiceThatIsNotThereIsRefused) {
  ChatRequest asked = request(kTools, kWord);
  offer_tool(asked);
  asked.tool_choice.names = {"g"};
  EXPECT_THAT(refusal(asked).message(), HasSubstr("\"g\" is not among the 1 tools"));
}

TEST_F(LocalToolsTest, AModelWhoseTemplateKnowsNoToolsIsToldOfThemInWords) {
  ChatRequest asked = request(kPlain, kCall);
  offer_tool(asked);
  asked.sampling.max_tokens = 2;
  asked.tell_start = true;
  const Heard heard = ask(asked);
  EXPECT_THAT(heard.prompt, HasSubstr(R"({"name":"f","parameters":{"type":"object"}})"));
  ASSERT_EQ(heard.notices.size(), 1u);
  EXPECT_THAT(heard.notices[0], HasSubstr("described to it in words"));
  ASSERT_EQ(heard.calls.size(), 2u);
  EXPECT_EQ(heard.calls[1].arguments, R"({"a":1})");
  EXPECT_EQ(heard.text, "");
}

TEST_F(LocalToolsTest, ACallThatSuchAModelHasToMakeComesFirstAndEndsItsAnswer) {
  ChatRequest asked = request(kPlain, kRest);
  offer_tool(asked);
  asked.tool_choice.mode = models::ToolChoice::Mode::required;
  const Heard heard = ask(asked);
  EXPECT_EQ(heard.text, "");
  ASSERT_EQ(heard.calls.size(), 1u);
  EXPECT_EQ(heard.calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(heard.end.event.reason, FinishReason::stop);
}

TEST_F(LocalToolsTest, SuchAModelIsToldOfNothingWhereItMayCallNothing) {
  ChatRequest asked = request(kPlain, kCall);
  offer_tool(asked);
  asked.tool_choice.mode = models::ToolChoice::Mode::none;
  asked.sampling.max_tokens = 1;
  const Heard heard = ask(asked);
  EXPECT_TRUE(heard.calls.empty() && heard.notices.empty());
  EXPECT_THAT(heard.text, HasSubstr("<tool_call>"));
}

TEST_F(LocalToolsTest, WhereATemplateRefusesASystemMessageTheToolsStandInTheFirstOfTheUser) {
  ChatRequest asked = request(
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
      "{% endif %}{{ m.content }}{% endfor %}",
      kWord);
  offer_tool(asked);
  asked.tell_start = true;
  asked.sampling.max_tokens = 1;
  const Heard heard = ask(asked);
  EXPECT_THAT(heard.prompt, HasSubstr(R"("name":"f")"));
  EXPECT_TRUE(heard.prompt.ends_with("t5")) << heard.prompt;
}

TEST_F(LocalToolsTest, ReasoningHasABudgetAndIsCounted) {
  ChatRequest asked = request(kThinks, kWord);
  asked.reasoning.max_tokens = 4;
  const Heard heard = ask(asked);
  EXPECT_EQ(heard.reasoning, "wordwordwordword");
  EXPECT_THAT(heard.text, HasSubstr("word"));
  EXPECT_GE(heard.end.reasoning_tokens, 5);  // the closing's, too
  asked.reasoning = {};
  EXPECT_EQ(ask(asked).text, "") << "without a budget it goes on thinking";
}

TEST_F(LocalToolsTest, AWishNotToThinkIsToldToTheTemplate) {
  ChatRequest asked = request(kThinks, kWord);
  asked.reasoning.think = false;
  asked.prompt_logprobs = true;
  const Heard heard = ask(asked);
  EXPECT_THAT(heard.prompt, HasSubstr("t8"));
  EXPECT_EQ(heard.reasoning, "");
  EXPECT_TRUE(heard.notices.empty());
  asked.reasoning = {.effort = "high"};
  const Heard effort = ask(asked);
  ASSERT_EQ(effort.notices.size(), 1u);
  EXPECT_THAT(effort.notices[0], HasSubstr("effort \"high\" is not told"));
}

TEST_F(LocalToolsTest, TheLastMessageIsGoneOnWithWhereItsTextEnds) {
  ChatRequest asked = request(kThinks, kWord);
  asked.conversation.messages.push_back({.role = "assistant", .content = "t6 t7"});
  asked.continue_last = true;
  asked.prompt_logprobs = true;
  const Heard heard = ask(asked);
  EXPECT_TRUE(heard.prompt.ends_with("t7")) << heard.prompt;
  EXPECT_THAT(heard.text, HasSubstr("word"));
  asked.conversation.messages.pop_back();
  EXPECT_THAT(refusal(asked).message(), HasSubstr("no assistant's"));
}

TEST_F(LocalToolsTest, AModelThatFillsInNothingRefusesASuffix) {
  ChatRequest asked = request(kTools, kWord);
  asked.raw = true;
  asked.prompt = "t5";
  asked.suffix = "t6";
  const Error error = refusal(asked);
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_THAT(error.message(), HasSubstr("fills in no text"));
}

}  // namespace
}  // namespace strata::api
