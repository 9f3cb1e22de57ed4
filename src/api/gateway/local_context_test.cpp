// Conversations that do not fit, before a model that computes: what its prompt then is.
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/prompt_budget.h"
#include "api/testing/tiny_backend.h"
#include "core/testing/expect_error.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using inference::Event;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int32_t kContext = 1024;

struct Heard {
  std::shared_ptr<const AnswerStart> start;
  std::shared_ptr<const ContextChange> change;
  std::string text;
  std::vector<std::string> notices;
  ChatEvent end;
};

Heard ask(Backend& backend, ChatRequest request) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  Heard heard;
  request.tell_start = true;
  const auto answer = backend.start(std::move(request), [&](ChatEvent&& event) {
    const std::lock_guard lock(mutex);
    if (event.start) heard.start = event.start;
    if (event.context_change) heard.change = event.context_change;
    if (!event.notice.empty()) heard.notices.push_back(event.notice);
    heard.text += event.event.text;
    over = event.event.kind == Event::Kind::finished;
    if (over) heard.end = std::move(event);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return over; });
  return heard;
}

class LocalContext : public ::testing::Test {
 protected:
  LocalContext() {
    auto builder = models::tiny_llama();
    builder.set_u32("llama.context_length", 2 * kContext);
    builder.set_text("tokenizer.chat_template",
                     "{% if tools %}<{{ tools[0].function.name }}>{% endif %}"
                     "{% for message in messages %}[{{ message.role }}]{{ message.content }}"
                     "{% endfor %}");
    const auto bytes = builder.build();
    store_.add("tiny", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  // So many turns of about 60 tokens a message: what the vocabulary does not know is a token each.
  static ChatRequest chat(int n_turns, ContextPolicy policy, size_t width = 50) {
    ChatRequest request;
    request.model = "tiny";
    request.context = kContext;
    request.context_policy = policy;
    request.sampling.max_tokens = 8;
    request.sampling.seed = 3;
    request.ignore_end_tokens = true;
    auto& messages = request.conversation.messages;
    messages.push_back({.role = "system", .content = "SYSTEM t5 t6"});
    for (int turn = 0; turn < n_turns; ++turn) {
      messages.push_back(
          {.role = "user", .content = fmt::format("QUESTION{}{}", turn, std::string(width, 'q'))});
      messages.push_back({.role = "assistant",
                          .content = fmt::format("ANSWER{}{}", turn, std::string(width, 'a'))});
    }
    messages.push_back({.role = "user", .content = "LAST t7 t8"});
    request.conversation.tools.push_back(
        json::object{{"type", "function"},
                     {"function", json::object{{"name", "look"}, {"parameters", json::object{}}}}});
    return request;
  }

  std::unique_ptr<Backend> backend() { return testing::tiny_backend(store_, 2, 8, kContext); }

  testing::TinyStore store_;
};

TEST_F(LocalContext, WhatFitsIsAnsweredTheSameWhateverThePolicy) {
  const auto local = backend();
  const Heard plain = ask(*local, chat(3, ContextPolicy::error));
  for (const auto policy : {ContextPolicy::truncate, ContextPolicy::summarise}) {
    const Heard heard = ask(*local, chat(3, policy));
    EXPECT_EQ(heard.start->prompt, plain.start->prompt);
    EXPECT_EQ(heard.text, plain.text);
    EXPECT_FALSE(heard.change);
    EXPECT_EQ(heard.end.event.usage.prompt_tokens, plain.end.event.usage.prompt_tokens);
  }
}

TEST_F(LocalContext, TheOldestTurnsAreLeftOutAndTold) {
  const auto local = backend();
  const Heard heard = ask(*local, chat(40, ContextPolicy::truncate));
  const auto n_prompt = static_cast<int64_t>(heard.start->prompt_ids.size());
  EXPECT_LE(n_prompt + 8, kContext);
  EXPECT_GT(n_prompt, kContext / 2) << "no more goes than has to";
  EXPECT_THAT(heard.start->prompt, StartsWith("<look>[system]SYSTEM t5 t6[user]QUESTION"));
  EXPECT_THAT(heard.start->prompt, HasSubstr("[user]LAST t7 t8"));
  EXPECT_THAT(heard.start->prompt, HasSubstr("ANSWER39"));
  EXPECT_THAT(heard.start->prompt, Not(HasSubstr("QUESTION0q")));
  ASSERT_TRUE(heard.change);
  const int64_t left = 2 + 80 - heard.change->messages;  // with the system's and the last
  EXPECT_EQ(std::ranges::count(heard.start->prompt, '['), left);
  EXPECT_EQ(heard.change->messages % 2, 0);
  EXPECT_TRUE(heard.change->tokens_counted);
  EXPECT_GT(heard.change->tokens, heard.change->messages * 50);
  EXPECT_THAT(heard.notices, ::testing::Contains(notice_of(*heard.change)));
  EXPECT_EQ(heard.end.event.usage.prompt_tokens, n_prompt);
  EXPECT_EQ(ask(*local, chat(40, ContextPolicy::truncate)).text, heard.text);
}

TEST_F(LocalContext, OfAConversationThatIsFarTooLongTheLeastIsTold) {
  const auto local = backend();
  const Heard heard = ask(*local, chat(200, ContextPolicy::truncate, 1000));
  EXPECT_LE(heard.start->prompt_ids.size() + 8, kContext);
  ASSERT_TRUE(heard.change);
  EXPECT_FALSE(heard.change->tokens_counted);
  EXPECT_GT(heard.change->tokens, 0);
}

TEST_F(LocalContext, WhatCannotFitIsRefusedWithTheNumbers) {
  const auto local = backend();
  const auto refusal = [&](const ChatRequest& request) {
    try {
      const Heard heard = ask(*local, request);
      return heard.end.event.error.value().message();
    } catch (const Error& error) {
      return error.message();
    }
  };
  const auto overflow = ask(*local, chat(40, ContextPolicy::error)).end.overflow;
  ASSERT_TRUE(overflow) << "found once the model was there";
  EXPECT_EQ(overflow->n_context(), kContext);
  EXPECT_GT(overflow->n_prompt(), kContext);
  const std::string plain = refusal(chat(40, ContextPolicy::error));
  EXPECT_THAT(plain, HasSubstr("limit 1024 (one is kept for the answer, 8 are asked for)"));
  EXPECT_THAT(plain, Not(HasSubstr("left out")));
  ChatRequest long_last = chat(4, ContextPolicy::truncate);
  long_last.conversation.messages.back().content = std::string(2 * kContext, 'x');
  EXPECT_THAT(refusal(long_last), HasSubstr("8 older messages are left out already"));
  EXPECT_EQ(ask(*local, chat(1, ContextPolicy::error)).end.event.usage.completion_tokens, 8)
      << "the model is still there";
}

TEST_F(LocalContext, ASummaryIsWrittenOnceAndGoneOnWith) {
  const auto local = backend();
  const Heard first = ask(*local, chat(12, ContextPolicy::summarise));
  ASSERT_TRUE(first.change);
  EXPECT_FALSE(first.change->summary_kept);
  EXPECT_LT(first.change->unsummarised, first.change->messages);
  EXPECT_GT(first.change->summary_output_tokens, 0);
  EXPECT_LE(first.change->summary_output_tokens, kContext / 8);
  EXPECT_THAT(first.start->prompt,
              StartsWith("<look>[system]SYSTEM t5 t6[user]Summary of our conversation so far:"));
  EXPECT_THAT(first.start->prompt, HasSubstr("[user]LAST t7 t8"));
  const auto& usage = first.end.event.usage;
  EXPECT_EQ(usage.prompt_tokens, static_cast<int32_t>(first.start->prompt_ids.size()) +
                                     first.change->summary_input_tokens);
  EXPECT_EQ(usage.completion_tokens, 8 + first.change->summary_output_tokens);

  const Heard again = ask(*local, chat(12, ContextPolicy::summarise));
  ASSERT_TRUE(again.change);
  EXPECT_TRUE(again.change->summary_kept);
  EXPECT_EQ(again.change->summary_input_tokens, 0);
  EXPECT_EQ(again.start->prompt, first.start->prompt);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.end.event.usage.completion_tokens, 8);

  const Heard longer = ask(*local, chat(13, ContextPolicy::summarise));
  ASSERT_TRUE(longer.change);
  EXPECT_TRUE(longer.change->summary_kept) << "there is room for some turns more";
  EXPECT_EQ(longer.change->messages, first.change->messages);

  const Heard stranger = [&] {
    ChatRequest other = chat(12, ContextPolicy::summarise);
    other.cache_scope = 7;
    return ask(*local, other);
  }();
  EXPECT_FALSE(stranger.change->summary_kept) << "callers share no summaries";
}

TEST_F(LocalContext, ASummaryThatIsGivenUpLeavesTheModelFree) {
  const auto local = backend();
  ask(*local, chat(1, ContextPolicy::error));
  for (int round = 0; round < 4; ++round) {
    ChatRequest request = chat(12, ContextPolicy::summarise);
    request.cache_scope = static_cast<uint64_t>(100 + round);
    const auto answer = local->start(std::move(request), [](ChatEvent&&) {});
  }
  while (local->running().at(0).running + local->running().at(0).queued > 0) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(local->unload("tiny"));
}

TEST_F(LocalContext, ATextBeforeTheSystemsStandsBeforeWhoseEverThatIs) {
  ChatRequest request = chat(0, ContextPolicy::error);
  request.system_front = "FRONT";
  EXPECT_EQ(ask(*backend(), request).start->prompt,
            "<look>[system]FRONT\n\nSYSTEM t5 t6[user]LAST t7 t8");
  request.conversation.messages.erase(request.conversation.messages.begin());
  EXPECT_EQ(ask(*backend(), request).start->prompt, "<look>[system]FRONT[user]LAST t7 t8");
  auto manifest = store_.store().find("tiny");
  manifest.overrides.system = "OWN";
  store_.store().put_manifest(manifest);
  EXPECT_EQ(ask(*backend(), request).start->prompt, "<look>[system]FRONT\n\nOWN[user]LAST t7 t8");
  ChatRequest long_one = chat(40, ContextPolicy::truncate);
  long_one.system_front = "FRONT";
  const Heard heard = ask(*backend(), long_one);
  EXPECT_THAT(heard.start->prompt, StartsWith("<look>[system]FRONT\n\nSYSTEM t5 t6[user]"));
  EXPECT_TRUE(heard.change);
}

TEST_F(LocalContext, AModelsParameterAndTheServersSettingSayThePolicy) {
  auto manifest = store_.store().find("tiny");
  ChatRequest silent = chat(40, ContextPolicy::error);
  silent.context_policy.reset();
  {
    LocalOptions options;
    options.store = store_.path();
    options.n_threads = 1;
    options.float32 = true;
    options.context = kContext;
    options.context_policy = ContextPolicy::truncate;
    const auto local = make_local_backend(std::move(options));
    EXPECT_TRUE(ask(*local, silent).change);
  }
  manifest.overrides.parameters.emplace("context_policy", "truncate");
  store_.store().put_manifest(manifest);
  EXPECT_TRUE(ask(*backend(), silent).change);
}

}  // namespace
}  // namespace strata::api
