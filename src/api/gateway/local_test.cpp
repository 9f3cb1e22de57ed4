#include "api/gateway/local.h"

#include <condition_variable>
#include <future>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/callers.h"
#include "api/gateway/gateway.h"
#include "api/testing/tiny_backend.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using inference::Event;
using inference::FinishReason;
using ::testing::HasSubstr;

// What a sink has heard; the answer may be let go of from inside the sink.
class Listener {
 public:
  ChatSink sink() {
    return [this](ChatEvent&& event) {
      if (on_event) on_event(event);
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      changed_.notify_all();
    };
  }
  // The last event of the first choice.
  ChatEvent wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return !events_.empty() && events_.back().event.kind == Event::Kind::finished;
    });
    return events_.back();
  }
  std::vector<ChatEvent> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  size_t texts() {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::ranges::count_if(
        events_, [](const auto& each) { return each.event.kind == Event::Kind::text; }));
  }

  std::function<void(const ChatEvent&)> on_event;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ChatEvent> events_;
};

class LocalBackendTest : public ::testing::Test {
 protected:
  LocalBackendTest() { store_.add("tiny"); }

  std::unique_ptr<Backend> backend(int32_t max_parallel = 2, int32_t max_queue = 8) {
    return testing::tiny_backend(store_, max_parallel, max_queue);
  }

  static ChatRequest request(std::vector<int32_t> prompt, int32_t max_tokens) {
    ChatRequest request;
    request.model = "tiny";
    request.raw = true;
    request.prompt_ids = std::move(prompt);
    request.sampling.max_tokens = max_tokens;
    request.sampling.seed = 7;
    request.ignore_end_tokens = true;
    request.n_logprobs = 0;
    return request;
  }

  static std::vector<int32_t> ids(const std::vector<ChatEvent>& events, int32_t choice = 0) {
    std::vector<int32_t> ids;
    for (const auto& event : events) {
      if (event.choice != choice) continue;
      for (const auto& token : event.event.tokens) ids.push_back(token.id);
    }
    return ids;
  }

  // Thrown at once by a model that is there, else told to the sink.
  static Error refusal(Backend& local, const ChatRequest& refused) {
    Listener listener;
    try {
      const auto answer = local.start(refused, listener.sink());
      const ChatEvent end = listener.wait();
      EXPECT_EQ(end.event.reason, FinishReason::error);
      return end.event.error.value();
    } catch (const Error& error) {
      return error;
    }
  }

  static inference::EngineStats stats_when_idle(const Backend& backend) {
    while (true) {
      const auto rows = backend.running();
      if (rows.size() == 1 && !rows[0].loading && rows[0].running + rows[0].queued == 0 &&
          rows[0].stats.executor.kv_bytes_used == 0) {
        return rows[0].stats;
      }
      std::this_thread::yield();
    }
  }

  testing::TinyStore store_;
};

// Names of models that keys are asked about.
class AskedAbout : public Callers {
 public:
  std::vector<std::string> prepare(ChatRequest& request) override {
    check_model(request.caller, request.model);
    return {};
  }
  void check_model(const std::string&, const std::string& model) override {
    models.push_back(model);
    throw Error(Code::permission_denied, "noted");
  }
  bool may_ask(const std::string&, const std::string&) override { return false; }
  void used(const std::string&, const CallerUse&) override {}
  std::vector<std::string> models;
};

TEST_F(LocalBackendTest, AKeyIsAskedAboutTheModelThatWillAnswerHoweverItIsSpelt) {
  AskedAbout keys;
  Gateway gateway;
  gateway.tell(&keys);
  gateway.add(backend());
  for (const char* name : {"tiny", "TINY", "Tiny:latest"}) {
    ChatRequest asked = request({5}, 1);
    asked.model = name;
    asked.caller = "key";
    EXPECT_THROW(gateway.start(asked, [](ChatEvent&&) {}), Error);
    EXPECT_THROW(gateway.tokenize(asked, [](std::vector<int32_t>&&, const Error*) {}), Error);
    EmbeddingRequest texts;
    texts.model = name;
    texts.caller = "key";
    EXPECT_THROW(gateway.embed(texts, [](EmbeddingAnswer&&, const Error*) {}), Error);
  }
  EXPECT_EQ(keys.models, std::vector<std::string>(9, "tiny:latest"));
}

TEST_F(LocalBackendTest, LoadsOnDemandAndSaysWhatLoadingTook) {
  const auto local = backend();
  EXPECT_TRUE(local->running().empty());
  Listener first, second;
  const auto answer = local->start(request({5, 6, 7}, 4), first.sink());
  const ChatEvent end = first.wait();
  EXPECT_EQ(end.event.reason, FinishReason::length);
  EXPECT_EQ(end.event.usage.completion_tokens, 4);
  EXPECT_GT(end.load_ns, 0);
  const auto again = local->start(request({5, 6, 7}, 4), second.sink());
  EXPECT_EQ(second.wait().load_ns, 0);
  EXPECT_EQ(ids(first.events()), ids(second.events()));
  EXPECT_EQ(ids(first.events()).size(), 4u);
}

TEST_F(LocalBackendTest, OneTooManyIsUnavailableAndAFinishedOneMakesRoom) {
  const auto local = backend(1, 1);
  std::promise<void> gate, reached;
  auto open = gate.get_future().share();
  Listener running, queued, later;
  bool first = true;
  running.on_event = [&](const ChatEvent& event) {
    if (event.event.kind != Event::Kind::text || !std::exchange(first, false)) return;
    reached.set_value();
    open.wait();
  };
  const auto one = local->start(request({5}, 8), running.sink());
  reached.get_future().wait();
  const auto two = local->start(request({6}, 8), queued.sink());
  try {
    local->start(request({7}, 8), later.sink());
    ADD_FAILURE() << "a third request was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_THAT(error.message(), HasSubstr("the limit is 2"));
    EXPECT_FALSE(error.hint().empty());
  }
  gate.set_value();
  EXPECT_EQ(running.wait().event.reason, FinishReason::length);
  EXPECT_EQ(queued.wait().event.reason, FinishReason::length);
  const auto three = local->start(request({7}, 8), later.sink());
  EXPECT_EQ(later.wait().event.reason, FinishReason::length);
}

TEST_F(LocalBackendTest, LettingGoStopsWithinOneStepAndFreesTheCache) {
  const auto local = backend();
  // In memory, so that start() itself gives it to the engine: while a model is loaded another
  // thread does, and the engine may be steps ahead of that.
  Listener loaded, listener;
  const auto first = local->start(request({5}, 1), loaded.sink());
  loaded.wait();
  std::unique_ptr<Answer> answer;
  std::promise<void> have_answer;
  auto ready = have_answer.get_future().share();
  size_t texts = 0;
  listener.on_event = [&](const ChatEvent& event) {
    if (event.event.kind != Event::Kind::text) return;
    ready.wait();
    if (++texts == 5) answer.reset();
  };
  answer = local->start(request({5, 6}, 100), listener.sink());
  have_answer.set_value();
  EXPECT_EQ(listener.wait().event.reason, FinishReason::cancelled);
  EXPECT_LE(texts, 6u) << "it worked on for nobody";
  EXPECT_LE(stats_when_idle(*local).decode_tokens, 8);
}

TEST_F(LocalBackendTest, NobodyLoadsAModelForAClientThatHasGone) {
  store_.add("gate");
  const auto local = backend();
  std::promise<void> open, reached;
  Listener gate, gone;
  auto opened = open.get_future().share();
  gate.on_event = [&](const ChatEvent&) {
    reached.set_value();
    opened.wait();
  };
  ChatRequest holding = request({}, 1);
  holding.model = "gate";
  holding.load_only = true;  // its end is told by the thread that loads
  const auto held = local->start(holding, gate.sink());
  reached.get_future().wait();
  local->start(request({5}, 8), gone.sink()).reset();
  open.set_value();
  const ChatEvent end = gone.wait();
  EXPECT_EQ(end.event.reason, FinishReason::error);
  EXPECT_EQ(end.event.error->code(), Code::cancelled);
  for (const auto& row : local->running()) {
    if (!row.loading) {
      EXPECT_NE(row.card.name, "tiny:latest");
    }
  }
}

TEST_F(LocalBackendTest, ChoicesEndOnceEachAndDiffer) {
  const auto local = backend(4, 8);
  Listener listener;
  ChatRequest several = request({5, 6}, 12);
  several.n = 3;
  several.sampling.temperature = 1.0f;
  std::promise<void> all;
  int ended = 0;
  listener.on_event = [&](const ChatEvent& event) {
    if (event.event.kind == Event::Kind::finished && ++ended == 3) all.set_value();
  };
  const auto answer = local->start(several, listener.sink());
  all.get_future().wait();
  stats_when_idle(*local);
  const auto events = listener.events();
  EXPECT_EQ(ids(events, 0).size(), 12u);
  EXPECT_NE(ids(events, 0), ids(events, 1));
  EXPECT_NE(ids(events, 1), ids(events, 2));
}

TEST_F(LocalBackendTest, APromptThatDoesNotFitIsRefusedWithTheCounts) {
  const auto local = backend();
  ChatRequest chat;
  chat.model = "tiny";
  chat.context = 32;
  chat.conversation.messages.resize(3);
  chat.conversation.messages[0] = {.role = "system", .content = "t5 t6"};
  chat.conversation.messages[1] = {.role = "user", .content = "t7"};
  chat.conversation.messages[2] = {.role = "user", .content = std::string(200, 'x')};
  for (int attempt = 0; attempt < 2; ++attempt) {  // while it loads, and when it is there
    const Error error = refusal(*local, chat);
    EXPECT_EQ(error.code(), Code::invalid_argument);
    int total = 0, context = 0, system = 0, history = 0, message = 0, words = 0, limit = 0;
    ASSERT_EQ(std::sscanf(error.message().c_str(),
                          "the prompt has %d tokens and the context %d: system %d, history %d, "
                          "this message %d, template %d, limit %d",
                          &total, &context, &system, &history, &message, &words, &limit),
              7)
        << error.message();
    EXPECT_EQ(system + history + message + words, total);
    EXPECT_GT(system, 0);
    EXPECT_GT(history, 0);
    EXPECT_GT(message, 32);
    EXPECT_GT(words, 0);
    EXPECT_EQ(limit, 32);
    EXPECT_EQ(context, 32);
  }
  chat.conversation.messages.erase(chat.conversation.messages.begin(),
                                   chat.conversation.messages.begin() + 2);
  EXPECT_THAT(refusal(*local, chat).message(), HasSubstr("system 0, history 0, this message"));
  ChatRequest raw = request(std::vector<int32_t>(128, 5), 4);
  EXPECT_THAT(refusal(*local, raw).message(), HasSubstr("128 tokens and the context"));
  raw.prompt_ids = {5, 48};
  EXPECT_THAT(refusal(*local, raw).message(),
              HasSubstr("token id 48 is not below the vocabulary's 48"));
  Listener fits;
  raw.prompt_ids = std::vector<int32_t>(31, 5);
  const auto answer = local->start(raw, fits.sink());
  EXPECT_EQ(fits.wait().event.reason, FinishReason::length);
}

TEST_F(LocalBackendTest, TheModelsOwnMessagesCanBeLeftOut) {
  models::Manifest manifest = store_.store().find("tiny");
  manifest.name = "talker:latest";
  manifest.overrides.messages = {{.role = "user", .content = std::string(200, 'x')}};
  store_.store().put_manifest(manifest);
  const auto local = backend();
  ChatRequest chat;
  chat.model = "talker";
  chat.sampling.max_tokens = 1;
  chat.sampling.seed = 1;  // a new one each time would end at once now and then
  chat.conversation.messages = {{.role = "user", .content = "t5"}};
  EXPECT_THAT(refusal(*local, chat).message(), HasSubstr("system 0, history 2"));
  chat.model_messages = false;
  Listener listener;
  const auto answer = local->start(chat, listener.sink());
  EXPECT_EQ(listener.wait().event.reason, FinishReason::length);
}

TEST_F(LocalBackendTest, AContextBeyondTheTrainedOneIsSaid) {
  const auto local = backend();
  for (int attempt = 0; attempt < 2; ++attempt) {  // while it loads, and when it is there
    Listener listener;
    ChatRequest large = request({5}, 2);
    large.context = 4096;
    const auto answer = local->start(large, listener.sink());
    EXPECT_EQ(listener.wait().event.reason, FinishReason::length);
    EXPECT_THAT(listener.events().front().notice,
                HasSubstr("4096 was asked for, the model was trained on 128"));
    EXPECT_EQ(local->running().at(0).context, 128);
  }
}

TEST_F(LocalBackendTest, AContextOfTheManifestBeyondTheTrainedOneIsSaidToo) {
  auto manifest = store_.add("tiny");
  manifest.overrides.parameters.emplace("num_ctx", "4096");
  store_.store().put_manifest(manifest);
  const auto local = backend();
  for (int attempt = 0; attempt < 2; ++attempt) {  // while it loads, and when it is there
    Listener listener;
    const auto answer = local->start(request({5}, 2), listener.sink());
    listener.wait();
    EXPECT_THAT(listener.events().front().notice, HasSubstr("4096 was asked for"));
  }
  Listener listener;
  ChatRequest small = request({5}, 2);
  small.context = 64;
  const auto answer = local->start(small, listener.sink());
  listener.wait();
  EXPECT_EQ(listener.events().front().notice, "") << "this one asked for what it gets";
}

TEST_F(LocalBackendTest, AnUnloadWaitsForTheAnswerThatRuns) {
  const auto local = backend();
  Listener listener;
  bool unloaded = false;
  listener.on_event = [&](const ChatEvent& event) {
    if (event.event.kind == Event::Kind::text && !unloaded) unloaded = local->unload("tiny");
  };
  const auto answer = local->start(request({5, 6}, 60), listener.sink());
  const ChatEvent end = listener.wait();
  EXPECT_TRUE(unloaded);
  EXPECT_EQ(end.event.reason, FinishReason::length);
  EXPECT_EQ(end.event.usage.completion_tokens, 60);
  while (!local->running().empty()) std::this_thread::yield();
  while (local->unload("tiny")) std::this_thread::yield();
}

TEST_F(LocalBackendTest, StoppingEndsWhatRuns) {
  store_.add("tiny", testing::TinyStore::model_bytes(1 << 20));
  auto local = backend();
  Listener listener;
  std::promise<void> reached;
  bool first = true;
  listener.on_event = [&](const ChatEvent& event) {
    if (event.event.kind == Event::Kind::text && std::exchange(first, false)) reached.set_value();
  };
  ChatRequest endless = request({5, 6}, 1 << 19);
  endless.context = 1 << 20;
  const auto answer = local->start(endless, listener.sink());
  reached.get_future().wait();
  local.reset();
  EXPECT_EQ(listener.wait().event.reason, FinishReason::cancelled);
}

TEST_F(LocalBackendTest, ATextThatNoContextCouldHoldIsRefusedByItsBytes) {
  const auto local = backend();
  ChatRequest chat;
  chat.model = "tiny";
  chat.conversation.messages = {{.role = "system", .content = std::string(1000, 's')},
                                {.role = "user", .content = std::string(1 << 20, 'x')}};
  ChatRequest raw = request({}, 1);
  raw.prompt = std::string(1 << 20, 'x');
  for (const ChatRequest& large : {chat, raw}) {  // while it loads, and when it is there
    const Error error = refusal(*local, large);
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_THAT(error.message(), HasSubstr("bytes has at least 16"));
    EXPECT_THAT(error.message(), HasSubstr(large.raw ? "system 0" : "system 16"));
    EXPECT_THAT(error.message(), HasSubstr("limit 128"));
  }
}

TEST_F(LocalBackendTest, ATemplateOfARequestHasItsOwnLimits) {
  const auto local = backend();
  for (const char* source : {"{{ 'x' * 5000000 }}",
                             "{% for a in range(90000) %}{{ a }}{{ a }}"
                             "{{ a }}{% endfor %}"}) {
    ChatRequest chat;
    chat.model = "tiny";
    chat.conversation.messages = {{.role = "user", .content = "x"}};
    chat.chat_template = source;
    const Error error = refusal(*local, chat);
    EXPECT_EQ(error.code(), Code::invalid_argument) << error.message();
    EXPECT_THAT(error.message(), HasSubstr("limit"));
    EXPECT_THAT(error.hint(), HasSubstr("shorten the messages"));
  }
}

TEST_F(LocalBackendTest, ARawPromptGetsNoEndInFrontOfItsContinuation) {
  auto builder = models::tiny_llama();
  builder.set_bool("tokenizer.ggml.add_eos_token", true);
  const auto bytes = builder.build();
  store_.add("ends", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const auto local = backend();
  Listener listener;
  ChatRequest raw = request({}, 1);
  raw.model = "ends";
  raw.prompt = "t5";
  raw.prompt_logprobs = true;
  const auto answer = local->start(raw, listener.sink());
  EXPECT_EQ(listener.wait().event.reason, FinishReason::length);
  for (const auto& event : listener.events()) {
    for (const auto& token : event.event.prompt_tokens) EXPECT_NE(token.id, 2) << "that is EOS";
  }
}

TEST_F(LocalBackendTest, ASeedOfMinusOneIsDrawnAnewWhateverTheModelSays) {
  auto manifest = store_.add("tiny");
  manifest.overrides.parameters.emplace("seed", "42");
  store_.store().put_manifest(manifest);
  const auto local = backend();
  const auto answer_of = [&](std::optional<uint64_t> seed) {
    Listener listener;
    ChatRequest asked = request({5, 6}, 40);
    asked.sampling.temperature = 1.0f;
    asked.sampling.seed = seed;
    const auto answer = local->start(asked, listener.sink());
    listener.wait();
    return ids(listener.events());
  };
  EXPECT_EQ(answer_of(std::nullopt), answer_of(std::nullopt));
  EXPECT_NE(answer_of(kFreshSeed), answer_of(kFreshSeed));
}

}  // namespace
}  // namespace strata::api
