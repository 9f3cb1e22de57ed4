// A scheduler over a scripted executor, for tests of what requests answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/utf8.h"
#include "inference/scheduler.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/scripted_executor.h"

namespace strata::inference::testing {

constexpr int32_t kBenchContext = 64;

struct Answer {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<GeneratedToken> tokens;
  std::vector<GeneratedToken> prompt_tokens;
  std::vector<int32_t> progress;
  int n_finished = 0;
  FinishReason reason = FinishReason::error;
  std::string stop_string;
  std::optional<Error> error;
  Usage usage;
};

// The scheduler and what its requests answered.
class Bench {
 public:
  explicit Bench(Script script = {}, SchedulerOptions options = {})
      : log(std::make_shared<ScriptLog>()) {
    script.n_vocab = tokenizer->n_vocab();
    options.now_ns = [log = log] { return log->now_ns; };
    scheduler = std::make_unique<Scheduler>(std::make_unique<ScriptedExecutor>(script, log),
                                            script.n_vocab, options);
  }
  ~Bench() { scheduler->cancel_all(); }

  uint64_t add(GenerateRequest request) {
    return add(std::move(request), [](const Event&) {});
  }
  uint64_t add(GenerateRequest request, std::function<void(const Event&)> also) {
    const uint64_t id = next_++;
    validate(request, *tokenizer, tokenizer->n_vocab(), kBenchContext);
    Sink sink = [this, id, also = std::move(also)](Event&& event) {
      record(answers[id], event);
      also(event);
    };
    scheduler->add(std::make_unique<Generation>(id, std::move(request), std::move(sink), tokenizer,
                                                tokenizer->n_vocab(), kBenchContext, nullptr));
    return id;
  }
  void run(int max_steps = 100000) {
    while (!scheduler->idle() && max_steps-- > 0) scheduler->step();
    ASSERT_TRUE(scheduler->idle());
  }

  std::shared_ptr<ByteTokenizer> tokenizer = std::make_shared<ByteTokenizer>(
      std::vector<std::string>{"the ", "stop", "\xE4\xB8", "\xAD", "é"});
  std::shared_ptr<ScriptLog> log;
  std::unique_ptr<Scheduler> scheduler;
  std::map<uint64_t, Answer> answers;

 private:
  static void record(Answer& answer, const Event& event) {
    EXPECT_EQ(answer.n_finished, 0) << "an event after the last";
    switch (event.kind) {
      case Event::Kind::progress:
        EXPECT_TRUE(answer.text.empty() && answer.tokens.empty()) << "progress after text";
        answer.progress.push_back(event.prompt_done);
        break;
      case Event::Kind::text:
        EXPECT_TRUE(is_valid_utf8(event.text));
        answer.text += event.text;
        for (const GeneratedToken& t : event.tokens) {
          answer.tokens.push_back(t);
          answer.ids.push_back(t.id);
        }
        if (!event.prompt_tokens.empty()) answer.prompt_tokens = event.prompt_tokens;
        break;
      case Event::Kind::finished:
        ++answer.n_finished;
        answer.reason = event.reason;
        answer.stop_string = event.stop_string;
        answer.error = event.error;
        answer.usage = event.usage;
        break;
    }
  }
  uint64_t next_ = 1;
};

inline GenerateRequest request_of(std::vector<int32_t> prompt, uint64_t seed = 1,
                                  int32_t max_tokens = 12) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.sampler.seed = seed;
  request.sampler.temperature = 0.9f;
  request.sampler.top_k = 40;
  request.max_tokens = max_tokens;
  request.n_logprobs = 0;
  return request;
}

}  // namespace strata::inference::testing
