#include "api/gateway/model_manager.h"

#include <atomic>
#include <chrono>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing/tiny_store.h"
#include "core/testing/expect_error.h"

namespace strata::api {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  std::shared_ptr<ModelManager::Use> use;
  int64_t load_ns = 0;
  std::optional<Error> error;
};

class ModelManagerTest : public ::testing::Test {
 protected:
  LocalOptions options() {
    LocalOptions options;
    options.store = store_.path();
    options.n_threads = 1;
    options.max_parallel = 2;
    options.float32 = true;
    options.now_ms = [this] { return now_ms_.load(); };
    return options;
  }

  ModelManager::Wish wish(const std::string& name, int32_t context = 0) const {
    ModelManager::Wish wish;
    wish.manifest = store_.store().find(name);
    wish.context = context;
    return wish;
  }

  static std::future<Outcome> load(ModelManager& manager, ModelManager::Wish wish) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    auto future = promise->get_future();
    manager.load(std::move(wish), [promise](std::unique_ptr<ModelManager::Use> use, int64_t load_ns,
                                            const Error* error) {
      Outcome outcome{std::move(use), load_ns, std::nullopt};
      if (error) outcome.error = *error;
      promise->set_value(std::move(outcome));
    });
    return future;
  }

  // The worker looks at the clock before every job: after this it has seen the time.
  void let_worker_look(ModelManager& manager) const {
    ModelManager::Wish nobodys = wish("other");
    nobodys.still_wanted = [] { return false; };
    EXPECT_EQ(load(manager, nobodys).get().error->code(), Code::cancelled);
  }

  bool refuses_to_load(ModelManager& manager) const {
    try {
      manager.load(wish("tiny"), [](auto, int64_t, const Error*) {});
    } catch (const Error& error) {
      return error.message() == "the server is stopping";
    }
    return false;
  }

  static std::vector<std::string> names(const ModelManager& manager) {
    std::vector<std::string> names;
    for (const auto& row : manager.running()) {
      if (!row.loading) names.push_back(row.card.name);
    }
    return names;
  }

  testing::TinyStore store_;
  std::atomic<int64_t> now_ms_ = 1'000'000;
};

class ModelManagerWalk : public ModelManagerTest {
 protected:
  ModelManagerWalk() {
    store_.add("tiny");
    store_.add("other");
  }
};

TEST_F(ModelManagerWalk, TwoWishesShareOneLoad) {
  ModelManager manager(options());
  EXPECT_EQ(manager.use_if_loaded(wish("tiny")), nullptr);
  auto first = load(manager, wish("tiny")), second = load(manager, wish("tiny"));
  const Outcome one = first.get(), two = second.get();
  ASSERT_TRUE(one.use && two.use);
  EXPECT_EQ(&one.use->model(), &two.use->model());
  EXPECT_GT(one.load_ns, 0);
  EXPECT_EQ(two.load_ns, 0) << "it was loaded twice";
  EXPECT_NE(manager.use_if_loaded(wish("tiny")), nullptr);
}

TEST_F(ModelManagerWalk, AnIdleModelStaysForItsKeepAliveAndNotLonger) {
  ModelManager manager(options());
  auto wanted = wish("tiny");
  wanted.keep_alive_ms = 60'000;
  Outcome outcome = load(manager, wanted).get();
  now_ms_ += 1'000'000;
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("tiny:latest")) << "it is in use";
  EXPECT_FALSE(manager.running().at(0).idle_until_ms);
  outcome.use.reset();
  EXPECT_TRUE(manager.running().at(0).idle_until_ms);
  now_ms_ += 59'999;
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("tiny:latest"));
  now_ms_ += 1;
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::IsEmpty());
}

TEST_F(ModelManagerWalk, KeepAliveOfZeroUnloadsAtOnceAndMinusOneNever) {
  ModelManager manager(options());
  auto short_lived = wish("tiny");
  short_lived.keep_alive_ms = 0;
  load(manager, short_lived).get().use.reset();
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::IsEmpty());
  auto for_ever = wish("tiny");
  for_ever.keep_alive_ms = -1;
  load(manager, for_ever).get().use.reset();
  now_ms_ += int64_t{1} << 50;
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("tiny:latest"));
}

TEST_F(ModelManagerWalk, UnloadWaitsForWhatRunsAndANewWishTakesItBack) {
  ModelManager manager(options());
  Outcome outcome = load(manager, wish("tiny")).get();
  EXPECT_FALSE(manager.unload("nobody:latest"));
  EXPECT_TRUE(manager.unload("tiny:latest"));
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("tiny:latest")) << "somebody uses it";
  auto again = manager.use_if_loaded(wish("tiny"));
  outcome.use.reset();
  again.reset();
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("tiny:latest")) << "it was wanted again";
  EXPECT_TRUE(manager.unload("tiny:latest"));
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::IsEmpty());
}

TEST_F(ModelManagerWalk, AnUnloadWhileItIsLoadedIsRemembered) {
  ModelManager manager(options());
  auto wanted = wish("tiny");
  wanted.still_wanted = [&] {  // asked on the worker, when loading begins
    EXPECT_TRUE(manager.unload("tiny:latest"));
    EXPECT_FALSE(manager.unload("other:latest"));
    return true;
  };
  Outcome outcome = load(manager, wanted).get();
  ASSERT_TRUE(outcome.use) << "who waited for it still gets it";
  outcome.use.reset();
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::IsEmpty());
}

TEST_F(ModelManagerWalk, AnUnloadReachesAModelThatStillWaitsToBeLoaded) {
  store_.add("third");
  ModelManager manager(options());
  std::future<Outcome> waiting;
  auto first = wish("third");
  first.still_wanted = [&] {  // the worker is held here
    waiting = load(manager, wish("tiny"));
    EXPECT_TRUE(manager.unload("tiny:latest"));
    return true;
  };
  load(manager, first).get().use.reset();
  waiting.get().use.reset();
  let_worker_look(manager);
  EXPECT_THAT(names(manager), ::testing::ElementsAre("third:latest"));
}

TEST_F(ModelManagerWalk, TheLongestIdleModelMakesRoomAndOneAtWorkDoesNot) {
  store_.add("third");
  auto limited = options();
  limited.max_models = 2;
  ModelManager manager(limited);
  Outcome tiny = load(manager, wish("tiny")).get();
  load(manager, wish("other")).get().use.reset();
  now_ms_ += 10;
  tiny.use.reset();
  Outcome third = load(manager, wish("third")).get();
  EXPECT_THAT(names(manager), ::testing::ElementsAre("third:latest", "tiny:latest"));
  tiny.use = manager.use_if_loaded(wish("tiny"));
  const Outcome refused = load(manager, wish("other")).get();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), Code::unavailable);
  EXPECT_THAT(refused.error->message(), HasSubstr("2 models are in memory, all at work"));
}

TEST_F(ModelManagerWalk, ALargerContextWaitsUntilItsModelIsIdleAndWhoComesLaterWaitsBehind) {
  auto small_ones = options();
  small_ones.context = 32;
  ModelManager manager(small_ones);
  Outcome small = load(manager, wish("tiny", 32)).get();
  EXPECT_EQ(small.use->model().engine->context(), 32);
  auto large = load(manager, wish("tiny", 64));
  EXPECT_EQ(manager.use_if_loaded(wish("tiny", 32)), nullptr) << "it would never become idle";
  auto later = load(manager, wish("tiny", 32));
  EXPECT_TRUE(load(manager, wish("other")).get().use) << "who wants another model is not held up";
  EXPECT_EQ(manager.running().at(1).card.name, "tiny:latest");
  EXPECT_EQ(manager.running().at(1).queued, 2);
  EXPECT_EQ(large.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  small.use.reset();
  const Outcome served = large.get(), behind = later.get();
  ASSERT_TRUE(served.use && behind.use);
  EXPECT_EQ(served.use->model().engine->context(), 64);
  EXPECT_EQ(&behind.use->model(), &served.use->model());
  EXPECT_NE(manager.use_if_loaded(wish("tiny", 32)), nullptr) << "a smaller one fits into it";
}

TEST_F(ModelManagerWalk, NobodyWaitsForMoreContextThanTheModelWasTrainedOn) {
  ModelManager manager(options());
  const Outcome all = load(manager, wish("tiny")).get();
  EXPECT_EQ(all.use->model().engine->context(), 128);
  EXPECT_NE(manager.use_if_loaded(wish("tiny", 4096)), nullptr);
}

TEST_F(ModelManagerWalk, WhoWaitsForALargerContextAndGoesHoldsUpNobody) {
  auto small_ones = options();
  small_ones.context = 32;
  ModelManager manager(small_ones);
  const Outcome small = load(manager, wish("tiny")).get();
  std::atomic<bool> wanted = true;
  auto impatient = wish("tiny", 64);
  impatient.still_wanted = [&] { return wanted.load(); };
  auto large = load(manager, impatient);
  auto later = load(manager, wish("tiny"));
  wanted = false;
  EXPECT_EQ(large.get().error->code(), Code::cancelled);
  EXPECT_EQ(&later.get().use->model(), &small.use->model());
}

TEST_F(ModelManagerWalk, WishesThatWaitForAModelAtWorkCountInTheQueue) {
  auto limited = options();
  limited.context = 32;
  limited.max_queue = 1;
  ModelManager manager(limited);
  const Outcome small = load(manager, wish("tiny")).get();
  auto large = load(manager, wish("tiny", 64));
  const Error full = strata::testing::error_of([&] { load(manager, wish("tiny", 64)); });
  EXPECT_EQ(full.code(), Code::unavailable);
  EXPECT_THAT(full.message(), HasSubstr("1 requests wait"));
}

TEST_F(ModelManagerWalk, ASmallWishTakesNothingFromTheOthers) {
  for (const auto& [setting, given] : {std::pair{0, 128}, {96, 96}}) {
    auto with_setting = options();
    with_setting.context = setting;
    ModelManager manager(with_setting);
    const Outcome small = load(manager, wish("tiny", 16)).get();
    EXPECT_EQ(small.use->model().engine->context(), given);
    EXPECT_NE(manager.use_if_loaded(wish("tiny")), nullptr);
    EXPECT_NE(manager.use_if_loaded(wish("tiny", given)), nullptr);
  }
}

class ModelManagerMemory : public ModelManagerWalk {
 protected:
  ModelManagerMemory() { store_.add("third"); }

  // A machine whose memory is what `bytes` of it leave free beside the models that are loaded.
  std::unique_ptr<ModelManager> manager_with(const std::function<int64_t()>& bytes) {
    auto limited = options();
    limited.max_models = 8;
    limited.free_bytes = [this, bytes] {
      int64_t free = bytes();
      for (const auto& row : manager_->running()) free -= row.memory_bytes;
      return free;
    };
    return std::make_unique<ModelManager>(limited);
  }

  std::unique_ptr<ModelManager> manager_;
  std::atomic<int64_t> memory_ = int64_t{1} << 40;
};

TEST_F(ModelManagerMemory, TheLongestIdleModelsMakeWayUntilANewOneFits) {
  manager_ = manager_with([this] { return memory_.load(); });
  load(*manager_, wish("tiny")).get().use.reset();
  const int64_t one = manager_->running().at(0).memory_bytes;
  now_ms_ += 10;
  load(*manager_, wish("other")).get().use.reset();
  memory_ = 2 * one;
  Outcome third = load(*manager_, wish("third")).get();
  ASSERT_TRUE(third.use) << third.error->message();
  EXPECT_THAT(names(*manager_), ::testing::ElementsAre("other:latest", "third:latest"));
}

TEST_F(ModelManagerMemory, WhatCannotFitIsUnavailableWithTheNumbersAndNothingGoesForIt) {
  manager_ = manager_with([this] { return memory_.load(); });
  Outcome tiny = load(*manager_, wish("tiny")).get();
  load(*manager_, wish("other")).get().use.reset();
  const int64_t one = tiny.use->model().memory_bytes;
  memory_ = 2 * one + one / 2;
  EXPECT_TRUE(load(*manager_, wish("third")).get().use) << "an idle one is enough";
  EXPECT_THAT(names(*manager_), ::testing::ElementsAre("third:latest", "tiny:latest"));
  memory_ = one + one / 2;
  const Outcome refused = load(*manager_, wish("other")).get();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), Code::unavailable);
  EXPECT_THAT(refused.error->message(), HasSubstr("other:latest needs"));
  EXPECT_THAT(refused.error->message(), HasSubstr("models at work: 1"));
  EXPECT_THAT(refused.error->hint(), HasSubstr("even as Q4_K_S it needs about"));
  EXPECT_THAT(names(*manager_), ::testing::ElementsAre("third:latest", "tiny:latest"));
}

TEST_F(ModelManagerWalk, WhatIsLargerThanTheMachineIsNotWaitedFor) {
  auto small_machine = options();
  small_machine.machine_bytes = 1000;
  ModelManager manager(small_machine);
  const Outcome refused = load(manager, wish("tiny")).get();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), Code::failed_precondition) << "503 would say: come again";
  EXPECT_THAT(refused.error->message(), HasSubstr("and this machine has 0"));
}

TEST_F(ModelManagerWalk, NewWeightsUnderAnOldNameAreNotServedFromTheOldOnes) {
  ModelManager manager(options());
  Outcome old = load(manager, wish("tiny")).get();
  store_.add("tiny", testing::TinyStore::model_bytes(96));
  EXPECT_EQ(manager.use_if_loaded(wish("tiny")), nullptr);
  auto waiting = load(manager, wish("tiny", 4096));
  let_worker_look(manager);
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(old.use->model().model->spec.n_context, 128);
  old.use.reset();
  EXPECT_EQ(waiting.get().use->model().model->spec.n_context, 96);
}

TEST_F(ModelManagerWalk, WishesBeyondTheQueueAreUnavailable) {
  auto limited = options();
  limited.max_queue = 2;
  ModelManager manager(limited);
  std::promise<void> gate;
  std::promise<void> reached;
  manager.load(wish("tiny"), [&](auto, int64_t, const Error*) {
    reached.set_value();
    gate.get_future().wait();
  });
  reached.get_future().wait();
  auto second = load(manager, wish("tiny")), third = load(manager, wish("other"));
  try {
    load(manager, wish("other"));
    ADD_FAILURE() << "a fourth wish was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unavailable);
    EXPECT_THAT(error.message(), HasSubstr("2 requests wait"));
  }
  gate.set_value();
  EXPECT_TRUE(second.get().use);
  EXPECT_TRUE(third.get().use);
}

TEST_F(ModelManagerWalk, WhatWaitsWhenTheServerStopsIsToldSo) {
  auto manager = std::make_unique<ModelManager>(options());
  std::promise<void> gate, reached;
  manager->load(wish("tiny"), [&](auto, int64_t, const Error*) {
    reached.set_value();
    gate.get_future().wait();
  });
  reached.get_future().wait();
  auto waiting = load(*manager, wish("other"));
  ModelManager* const alive = manager.get();  // its end waits for the worker, which waits for us
  auto stopping = std::async(std::launch::async, [&] { manager.reset(); });
  while (!refuses_to_load(*alive)) std::this_thread::yield();
  gate.set_value();
  stopping.wait();
  const Outcome outcome = waiting.get();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), Code::unavailable);
}

TEST_F(ModelManagerWalk, TheEndDoesNotWaitForTheStoresLock) {
  // A model of two parts is shown to its reader through a folder that is made under the lock.
  auto parts = wish("tiny");
  parts.manifest.model.push_back(parts.manifest.model.front());
  const auto held = FileLock::attempt(store_.store().lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(held);
  auto manager = std::make_unique<ModelManager>(options());
  auto waiting = load(*manager, parts);
  while (manager->running().empty()) std::this_thread::yield();  // until it is being loaded
  manager.reset();
  const Outcome outcome = waiting.get();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), Code::unavailable) << outcome.error->message();
}

// Files that a disk or a bad download has spoilt: each its own word, and the manager lives on.
struct Spoilt {
  const char* name;
  std::string (*spoil)(std::string bytes);
  const char* says;
};

class SpoiltModel : public ModelManagerTest, public ::testing::WithParamInterface<Spoilt> {};

TEST_P(SpoiltModel, IsAClearErrorAndTheOthersAreServed) {
  store_.add("other");
  const std::string whole = testing::TinyStore::model_bytes();
  store_.add("bad", GetParam().spoil(whole));
  ModelManager manager(options());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Outcome outcome = load(manager, wish("bad")).get();
    ASSERT_TRUE(outcome.error);
    EXPECT_THAT(outcome.error->message(), HasSubstr(GetParam().says));
    EXPECT_THAT(outcome.error->message(), HasSubstr("bad:latest cannot be opened"));
    EXPECT_THAT(outcome.error->message(), ::testing::Not(HasSubstr(store_.path().string())));
    EXPECT_NE(outcome.error->code(), Code::invalid_argument) << "the request was right";
    EXPECT_THAT(names(manager), ::testing::IsEmpty());
  }
  EXPECT_TRUE(load(manager, wish("other")).get().use);
}

std::string replaced(std::string bytes, std::string_view from, std::string_view to) {
  bytes.replace(bytes.find(from), from.size(), to);
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    Files, SpoiltModel,
    ::testing::Values(
        Spoilt{"empty", [](std::string) { return std::string(); }, "is empty"},
        Spoilt{"text", [](std::string) { return std::string("<html>no model</html>"); }, "GGUF"},
        Spoilt{"cut_in_the_head",
               [](std::string bytes) { return bytes.substr(0, bytes.size() / 10); }, "bytes"},
        Spoilt{"cut_in_the_weights",
               [](std::string bytes) { return bytes.substr(0, bytes.size() - 1000); }, "bytes"},
        Spoilt{"unknown_architecture",
               [](std::string bytes) { return replaced(std::move(bytes), "llama", "lhama"); },
               "lhama"},
        Spoilt{"missing_tensor",
               [](std::string bytes) {
                 return replaced(std::move(bytes), "blk.1.attn_q.weight", "blk.9.attn_q.weight");
               },
               "blk.1.attn_q.weight"},
        Spoilt{"a_count_of_2_to_the_63",
               [](std::string bytes) {
                 bytes[15] = '\x80';  // the high byte of the number of tensors
                 return bytes;
               },
               "tensor"}),
    [](const auto& spoilt) { return std::string(spoilt.param.name); });

TEST_F(ModelManagerWalk, ABlobThatIsGoneIsDataLoss) {
  const auto wanted = wish("tiny");
  std::filesystem::remove(store_.store().model_path(wanted.manifest));
  ModelManager manager(options());
  const Outcome outcome = load(manager, wanted).get();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), Code::data_loss);
}

}  // namespace
}  // namespace strata::api
