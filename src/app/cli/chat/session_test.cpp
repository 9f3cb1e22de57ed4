#include "app/cli/chat/session.h"

#include <gtest/gtest.h>

#include "api/gateway/scripted.h"
#include "app/cli/chat/parameters.h"
#include "app/cli/chat/slash.h"
#include "core/error.h"
#include "models/parameters.h"

namespace strata::app {
namespace {

std::unique_ptr<api::Backend> echo() {
  return api::make_scripted_backend(api::default_script());
}

// What ask() prints for the prompt.
std::string answer_to(ChatSession& session, api::Backend& backend, const std::string& prompt) {
  testing::internal::CaptureStdout();
  ask(session, backend, prompt);
  return testing::internal::GetCapturedStdout();
}

TEST(ChatSession, StreamsTheAnswerAndKeepsBothSides) {
  const auto backend = echo();
  ChatSession session;
  session.model = "echo";
  EXPECT_EQ(answer_to(session, *backend, "hello there"), "hello there\n");
  ASSERT_EQ(session.messages.size(), 2u);
  EXPECT_EQ(session.messages[0].role, "user");
  EXPECT_EQ(session.messages[1].content, "hello there");
}

TEST(ChatSession, WithoutHistoryEachPromptStandsAlone) {
  const auto backend = echo();
  ChatSession session;
  session.model = "echo";
  session.keep_history = false;
  answer_to(session, *backend, "one");
  EXPECT_TRUE(session.messages.empty());
}

TEST(ChatSession, AFailedAnswerLeavesTheConversationAsItWas) {
  const auto backend = api::make_scripted_backend(api::parse_script(
      R"({"models": [{"name": "faulty", "rules": [{"reply": "some words", "fail_after": 1,
          "fail_message": "the disk is gone"}]}]})"));
  ChatSession session;
  session.model = "faulty";
  testing::internal::CaptureStdout();
  EXPECT_THROW(ask(session, *backend, "hi"), Error);
  EXPECT_EQ(testing::internal::GetCapturedStdout().back(), '\n');
  EXPECT_TRUE(session.messages.empty());
}

TEST(ChatSession, AnErrorBeforeTheFirstWordPrintsNothing) {
  const auto backend = api::make_scripted_backend(api::parse_script(
      R"({"models": [{"name": "faulty", "rules": [{"reply": "some words", "fail_after": 0,
          "fail_message": "the disk is gone"}]}]})"));
  ChatSession session;
  session.model = "faulty";
  testing::internal::CaptureStdout();
  EXPECT_THROW(ask(session, *backend, "hi"), Error);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(ChatSession, ABaseModelTakesNoSystemMessage) {
  const auto backend = echo();
  ChatSession session;
  session.model = "echo";
  session.base_model = true;
  EXPECT_NO_THROW(check_system(session));
  session.system = "Be terse.";
  EXPECT_THROW(ask(session, *backend, "hi"), Error);
  session.base_model = false;
  EXPECT_EQ(answer_to(session, *backend, "hi"), "hi\n");
}

TEST(ChatSession, SeedMinusOneIsANewOneEachTime) {
  const auto backend = echo();
  ChatSession session;
  session.model = "babble";
  session.keep_history = false;
  set_parameter(session, "seed", {"7"});
  const std::string seven = answer_to(session, *backend, "hi");
  EXPECT_EQ(answer_to(session, *backend, "hi"), seven);
  set_parameter(session, "seed", {"-1"});
  EXPECT_EQ(set_parameters(session).at(0), (std::pair<std::string, std::string>{"seed", "-1"}));
  const std::string first = answer_to(session, *backend, "hi");
  EXPECT_NE(answer_to(session, *backend, "hi"), first);
  set_parameter(session, "seed", {"7"});
  EXPECT_EQ(answer_to(session, *backend, "hi"), seven);
  EXPECT_THROW(set_parameter(session, "seed", {"x"}), Error);
}

TEST(ChatSession, AContextBeyondTheModelsIsCutAndSaid) {
  const auto backend = echo();
  ChatSession session;
  session.model = "echo";
  session.model_context = 2048;
  session.context = 9000;
  testing::internal::CaptureStderr();
  answer_to(session, *backend, "hi");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("2048"), std::string::npos);
  EXPECT_EQ(session.context, 2048);
}

TEST(ChatSession, ParametersByOllamasNames) {
  ChatSession session;
  set_parameter(session, "temperature", {"0.25"});
  set_parameter(session, "num_ctx", {"512"});
  set_parameter(session, "stop", {"a", "b"});
  EXPECT_EQ(session.sampling.temperature, 0.25f);
  EXPECT_EQ(session.context, 512);
  EXPECT_EQ(session.sampling.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(set_parameters(session).size(), 4u);
  EXPECT_THROW(set_parameter(session, "temprature", {"1"}), Error);
  EXPECT_THROW(set_parameter(session, "top_k", {"99999999999"}), Error);
  EXPECT_THROW(set_parameter(session, "seed", {}), Error);
  for (const char* bad : {"1e99", "nan", "warm", ""}) {
    EXPECT_THROW(set_parameter(session, "temperature", {bad}), Error) << bad;
  }
  EXPECT_THROW(set_parameter(session, "num_ctx", {"0"}), Error);
  EXPECT_EQ(session.sampling.temperature, 0.25f);
}

TEST(ChatSession, WhatAChatTakesCanBeSavedAndIsAllThatAModelHas) {
  const std::vector<std::string> tries{"-3",         "-2",      "-1",  "-0.5", "0",
                                       "0.5",        "1",       "1.5", "2",    "3",
                                       "1000",       "1001",    "x",   "1e30", std::string(41, 'x'),
                                       "2147483648", "truncate"};
  for (const auto& rule : models::parameter_rules()) {
    const std::string name(rule.name);
    if (rule.use != models::ParameterUse::honoured) {
      ChatSession session;
      EXPECT_THROW(set_parameter(session, name, {"1"}), Error) << name;
      continue;
    }
    int taken = 0;
    for (const auto& value : tries) {
      ChatSession session;
      try {
        set_parameter(session, name, {value});
      } catch (const Error&) {
        EXPECT_THROW(models::read_parameter(name, value), Error) << name << " " << value;
        continue;
      }
      ++taken;
      const auto set = set_parameters(session);
      ASSERT_EQ(set.size(), 1u) << name;
      EXPECT_EQ(set[0].first, name);
      EXPECT_NO_THROW(models::read_parameter(set[0].first, set[0].second)) << name << " " << value;
    }
    EXPECT_GT(taken, 0) << name;
  }
}

TEST(ChatSession, AParameterIsGivenAsOftenAsAModelMayHaveIt) {
  ChatSession session;
  EXPECT_THROW(set_parameter(session, "top_p", {"0.1", "0.2"}), Error);
  set_parameter(session, "dry_sequence_breaker", {"a", "b"});
  EXPECT_EQ(session.sampling.dry_sequence_breakers, (std::vector<std::string>{"a", "b"}));
  EXPECT_THROW(set_parameter(session, "stop", std::vector<std::string>(65, "x")), Error);
}

// A backend whose prompts were worked on before, in part; it keeps what it was asked.
class Remembering : public api::Backend {
 public:
  api::ChatRequest asked;
  inference::FinishReason reason = inference::FinishReason::stop;
  std::string notice{};
  std::string_view name() const override { return "remembering"; }
  bool serves(std::string_view) const override { return true; }
  std::unique_ptr<api::Answer> start(api::ChatRequest request, api::ChatSink sink) override {
    asked = std::move(request);
    if (!notice.empty()) {
      api::ChatEvent event;
      event.event.kind = inference::Event::Kind::progress;
      event.notice = notice;
      sink(std::move(event));
    }
    inference::Event end;
    end.reason = reason;
    end.usage.completion_tokens = 5;
    end.kind = inference::Event::Kind::finished;
    end.usage.prompt_tokens = 10;
    end.usage.cached_tokens = 6;
    end.usage.prompt_ns = 2'000'000'000;
    sink({.choice = 0, .event = std::move(end)});
    return std::make_unique<api::Answer>();
  }
  std::vector<api::ModelCard> models() const override { return {}; }
  std::vector<api::RunningModel> running() const override { return {}; }
  bool unload(std::string_view) override { return false; }
  std::optional<api::ModelTraits> traits(std::string_view) const override { return std::nullopt; }
  std::string fetch(std::string_view, const models::PullOptions&) override { return {}; }
};

TEST(ChatSession, SpeedsCountWhatWasWorkedOnAndNotWhatTheCacheHeld) {
  Remembering backend;
  ChatSession session;
  session.model = "m";
  session.verbose = true;
  testing::internal::CaptureStderr();
  answer_to(session, backend, "hi");
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "10 tokens (6 from the cache), 2.00 s, 2.00 tokens/s"),
            std::string::npos);
}

TEST(ChatSession, AFullContextIsNoLengthLimit) {
  Remembering backend;
  backend.reason = inference::FinishReason::length;
  ChatSession session;
  const auto note = [&](std::optional<int32_t> max_tokens) {
    session.sampling.max_tokens = max_tokens;
    testing::internal::CaptureStderr();
    answer_to(session, backend, "hi");
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_NE(note(5).find("length limit of 5"), std::string::npos);
  EXPECT_NE(note(6).find("the context is full"), std::string::npos);
  EXPECT_NE(note({}).find("/clear"), std::string::npos);
  session.model_max_tokens = 5;
  EXPECT_NE(note({}).find("length limit of 5"), std::string::npos);
}

SlashResult slash(const std::string& line, ChatSession& session) {
  SlashActions actions;
  actions.load = [&](const std::string& name) { session.model = name; };
  actions.history = [](bool) {};
  actions.show = [](const std::string&) {};
  actions.list = [] {};
  actions.save = [](const std::string&, bool) {};
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  const auto finish = [] {
    testing::internal::GetCapturedStderr();
    testing::internal::GetCapturedStdout();
  };
  try {
    const auto result = run_slash(line, session, actions);
    finish();
    return result;
  } catch (...) {
    finish();
    throw;
  }
}

TEST(Slash, ChangesTheSession) {
  ChatSession session;
  slash("/set system \"\"\"You are terse.\"\"\"", session);
  EXPECT_EQ(session.system, "You are terse.");
  slash("/set parameter top_k 7", session);
  EXPECT_EQ(session.sampling.top_k, 7);
  slash("/set system \"\"\"two\nlines\"\"\"", session);
  EXPECT_EQ(session.system, "two\nlines");
  slash("/set nowordwrap", session);
  EXPECT_FALSE(session.word_wrap);
  slash("/set verbose", session);
  EXPECT_TRUE(session.verbose);
  slash("/load other", session);
  EXPECT_EQ(session.model, "other");
  session.messages.resize(2);
  slash("/clear", session);
  EXPECT_TRUE(session.messages.empty());
  EXPECT_EQ(slash("/bye", session), SlashResult::leave);
  EXPECT_EQ(slash("/?", session), SlashResult::done);
}

TEST(ChatSession, WhatIsDoneOtherwiseThanAskedIsSaid) {
  Remembering backend;
  ChatSession session;
  backend.notice = "a context of 4096 was asked for, the model was trained on 128";
  testing::internal::CaptureStderr();
  EXPECT_EQ(answer_to(session, backend, "hi"), "\n") << "the answer is the answer alone";
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "note: " + backend.notice + "\n");
}

TEST(Slash, AnEmptySystemMessageIsNoneAndNoTextIsTheModelsOwn) {
  Remembering backend;
  ChatSession session;
  const auto first = [&] {
    answer_to(session, backend, "hi");
    return backend.asked.conversation.messages.front();
  };
  EXPECT_EQ(first().role, "user") << "the model's own is left to the model";
  slash("/set system \"\"", session);
  EXPECT_EQ(first().role, "system") << "an empty one takes the place of the model's";
  EXPECT_EQ(first().content, "");
  slash("/set system", session);
  slash("/clear", session);
  EXPECT_EQ(first().role, "user");
}

TEST(Slash, ClearForgetsTheMessagesOfTheModelToo) {
  Remembering backend;
  ChatSession session;
  answer_to(session, backend, "hi");
  EXPECT_TRUE(backend.asked.model_messages);
  slash("/clear", session);
  answer_to(session, backend, "hi");
  EXPECT_FALSE(backend.asked.model_messages);
}

TEST(Slash, ASystemMessageIsRefusedWhereItWouldBeLost) {
  ChatSession session;
  session.base_model = true;
  EXPECT_THROW(slash("/set system Be terse.", session), Error);
  EXPECT_FALSE(session.system);
  EXPECT_NO_THROW(slash("/set system", session));
}

TEST(Slash, AMisspeltWordGetsTheNearestOne) {
  ChatSession session;
  for (const auto& [line, near] : {std::pair{"/shw info", "'/show'"},
                                   {"/set sytem x", "'system'"},
                                   {"/set parameter temprature 1", "'temperature'"},
                                   {"/show templat", "'template'"}}) {
    try {
      slash(line, session);
      FAIL() << line;
    } catch (const Error& error) {
      EXPECT_NE(error.hint().find(near), std::string::npos) << error.hint();
    }
  }
}

TEST(Slash, AFormatHoldsUntilItIsTakenBack) {
  using Kind = inference::OutputRule::Kind;
  ChatSession session;
  slash("/set format json", session);
  EXPECT_EQ(session.output.kind, Kind::json_object);
  slash(R"(/set format {"type": "string"})", session);
  EXPECT_EQ(session.output.kind, Kind::json_schema);
  EXPECT_EQ(session.output.schema, parse_json(R"({"type":"string"})"));
  EXPECT_THROW(slash(R"(/set format {"uniqueItems": 3})", session), Error);
  EXPECT_EQ(session.output.kind, Kind::json_schema) << "a mistake changes nothing";
  slash("/set noformat", session);
  EXPECT_EQ(session.output.kind, Kind::none);
}

TEST(Slash, MistakesAreErrorsWithTheWayOut) {
  ChatSession session;
  for (const char* line : {"/nope", "/set", "/set parameter", "/set parameter nope 1", "/load",
                           "/save a b", "/set format", "/set format nope", "/show nope", "/"}) {
    EXPECT_THROW(slash(line, session), Error) << line;
  }
}

}  // namespace
}  // namespace strata::app
