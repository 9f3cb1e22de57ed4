// The engine's thread: many callers, cancels, a full queue, destruction while it works.
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/engine_thread.h"
#include "inference/generation.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/scripted_executor.h"

namespace strata::inference {
namespace {

using testing::ByteTokenizer;
using testing::Script;
using testing::ScriptedExecutor;
using testing::ScriptLog;

struct House {
  explicit House(EngineOptions options = {}, Script script = {}) {
    auto made = std::make_shared<models::Model>();
    made->tokenizer = std::make_shared<ByteTokenizer>();
    made->spec.n_vocab = made->tokenizer->n_vocab();
    made->spec.head.weight = 0;  // it generates text
    script.n_vocab = made->spec.n_vocab;
    engine = make_engine(made, std::make_unique<ScriptedExecutor>(script, log), options, 2000);
  }
  std::shared_ptr<ScriptLog> log = std::make_shared<ScriptLog>();
  std::unique_ptr<Engine> engine;
};

GenerateRequest request_of(uint64_t seed, int32_t max_tokens) {
  GenerateRequest request;
  request.prompt = {1, 2, static_cast<int32_t>(seed % 200)};
  request.sampler.seed = seed;
  request.max_tokens = max_tokens;
  request.ignore_end_tokens = true;
  request.n_logprobs = 0;
  return request;
}

// Collects one answer; wait() returns when it is finished.
class Waiter {
 public:
  Sink sink() {
    return [this](Event&& event) {
      const std::lock_guard lock(mutex_);
      for (const GeneratedToken& t : event.tokens) ids_.push_back(t.id);
      if (event.kind == Event::Kind::finished) {
        ++n_finished_;
        reason_ = event.reason;
      }
      changed_.notify_all();
    };
  }
  FinishReason wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return n_finished_ > 0; });
    EXPECT_EQ(n_finished_, 1);
    return reason_;
  }
  void wait_for_tokens(size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ids_.size() >= n || n_finished_ > 0; });
  }
  std::vector<int32_t> ids() {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int32_t> ids_;
  int n_finished_ = 0;
  FinishReason reason_ = FinishReason::error;
};

TEST(Engine, callers_from_many_threads_get_what_they_get_alone) {
  constexpr int kThreads = 8;
  constexpr int kEach = 6;
  std::map<int, std::vector<int32_t>> alone;
  {
    House house({.max_batch = 1});
    for (int i = 0; i < kThreads * kEach; ++i) {
      Waiter waiter;
      const auto handle =
          house.engine->submit(request_of(static_cast<uint64_t>(i), 15), waiter.sink());
      EXPECT_EQ(waiter.wait(), FinishReason::length);
      alone[i] = waiter.ids();
    }
  }
  House house({.max_batch = 5, .prefill_chunk = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t * kEach; i < (t + 1) * kEach; ++i) {
        Waiter waiter;
        const auto handle =
            house.engine->submit(request_of(static_cast<uint64_t>(i), 15), waiter.sink());
        EXPECT_EQ(waiter.wait(), FinishReason::length);
        EXPECT_EQ(waiter.ids(), alone.at(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  house.engine.reset();
  EXPECT_EQ(house.log->live_sequences, 0u);
}

TEST(Engine, destroying_the_handle_cancels) {
  House house;
  Waiter waiter;
  auto handle = house.engine->submit(request_of(1, 1900), waiter.sink());
  waiter.wait_for_tokens(3);
  handle.reset();
  EXPECT_EQ(waiter.wait(), FinishReason::cancelled);
}

TEST(Engine, destroying_the_engine_cancels_what_runs_and_what_waits) {
  Waiter running, waiting;
  std::unique_ptr<Engine::Handle> first, second;  // outlive the engine
  {
    House house({.max_batch = 1});
    first = house.engine->submit(request_of(1, 1900), running.sink());
    second = house.engine->submit(request_of(2, 1900), waiting.sink());
    running.wait_for_tokens(2);
  }
  EXPECT_EQ(running.wait(), FinishReason::cancelled);
  EXPECT_EQ(waiting.wait(), FinishReason::cancelled);
}

TEST(Engine, one_too_many_is_unavailable_and_a_finished_one_makes_room) {
  House house({.max_batch = 1, .max_queue = 1});
  Waiter a, b, c;
  auto first = house.engine->submit(request_of(1, 1900), a.sink());
  auto second = house.engine->submit(request_of(2, 5), b.sink());
  try {
    house.engine->submit(request_of(3, 5), c.sink());
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::unavailable);
    EXPECT_FALSE(e.hint().empty());
  }
  first->cancel();
  EXPECT_EQ(a.wait(), FinishReason::cancelled);
  auto third = house.engine->submit(request_of(3, 5), c.sink());  // at once: the place is free
  EXPECT_EQ(b.wait(), FinishReason::length);
  EXPECT_EQ(c.wait(), FinishReason::length);
}

TEST(Engine, a_sink_may_submit_and_may_let_go_of_its_own_handle) {
  House house;
  Waiter second;
  std::unique_ptr<Engine::Handle> handle, next;
  std::mutex mutex;
  {
    const std::lock_guard lock(mutex);
    handle = house.engine->submit(request_of(1, 5), [&](Event&& event) {
      if (event.kind != Event::Kind::finished) return;
      const std::lock_guard inner(mutex);
      handle.reset();
      next = house.engine->submit(request_of(2, 5), second.sink());
    });
  }
  EXPECT_EQ(second.wait(), FinishReason::length);
  house.engine.reset();
}

TEST(Engine, a_throwing_sink_gives_its_place_back) {
  House house({.max_batch = 1, .max_queue = 0});
  std::mutex mutex;
  std::condition_variable changed;
  bool called = false;
  auto handle = house.engine->submit(request_of(1, 1900), [&](Event&&) {
    const std::lock_guard lock(mutex);
    called = true;
    changed.notify_all();
    throw std::runtime_error("gone");
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return called; });
  lock.unlock();
  Waiter waiter;
  std::unique_ptr<Engine::Handle> next;
  while (!next) {
    try {
      next = house.engine->submit(request_of(2, 5), waiter.sink());
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), Code::unavailable);  // the scheduler has not come that far yet
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(waiter.wait(), FinishReason::length);
}

TEST(Engine, bad_requests_and_options_are_refused_at_once) {
  House house;
  Waiter waiter;
  GenerateRequest request = request_of(1, 5);
  request.sampler.top_p = 2.0f;
  EXPECT_THROW(house.engine->submit(request, waiter.sink()), Error);
  request = request_of(1, 5);
  request.prompt.assign(2000, 1);
  EXPECT_THROW(house.engine->submit(request, waiter.sink()), Error);
  EXPECT_THROW(House({.max_batch = 0}), Error);
  EXPECT_THROW(House({.max_queue = -1}), Error);
  EXPECT_THROW(House({.prefill_chunk = 0}), Error);
  EXPECT_THROW(House({.float32 = true, .kv = tensor::KvFormat::int8}), Error);
}

}  // namespace
}  // namespace strata::inference
