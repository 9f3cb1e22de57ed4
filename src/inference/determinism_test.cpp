// With a real model, and with blocks that it does not have: what an answer is depends on its
// prompt, sampler and seed, and on nothing else, not on threads, batch, or how the prompt is cut.
// Uses every core.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "core/testing/test_data.h"
#include "inference/engine.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/tiny_model.h"
#include "models/model.h"

namespace strata::inference {
namespace {

const std::shared_ptr<const models::Model>& smollm2() {
  static const auto model =
      models::load_model(strata::testing::test_data("models/smollm2-135m.gguf"), "smollm2");
  return model;
}

// A model of random weights that spells bytes.
std::shared_ptr<const models::Model> tiny(TinyOptions options) {
  const auto tokenizer = std::make_shared<testing::ByteTokenizer>();
  options.n_vocab = tokenizer->n_vocab();
  const auto model = std::make_shared<models::Model>(*tiny_model(options));
  model->tokenizer = tokenizer;
  return model;
}

std::shared_ptr<const models::Model> latent() {
  TinyOptions options;
  options.n_latent = 64;
  options.q_rank = 32;
  options.rope_dims = 16;
  options.n_experts = 12;
  options.n_used = 3;
  options.n_groups = 4;
  return tiny(options);
}

std::shared_ptr<const models::Model> hybrid() {
  TinyOptions options;
  options.n_state = 24;
  options.windows = {0, 0, 0};
  options.rope = models::RopeKind::none;
  return tiny(options);
}

std::shared_ptr<const models::Model> sections() {
  TinyOptions options;
  options.sections = options.sinks = options.biases = options.weighs_inputs = true;
  options.windows = {100, 0};
  options.n_experts = 5;
  options.n_used = 2;
  return tiny(options);
}

std::shared_ptr<const models::Model> alibi() {
  TinyOptions options;
  options.rope = models::RopeKind::none;
  options.alibi = 8.0f;
  options.n_heads = options.n_kv_heads = 6;
  return tiny(options);
}

// Prompts of very different lengths, among them one longer than a page of the cache and a chunk.
std::vector<GenerateRequest> requests(const models::Model& model) {
  std::string long_text;
  for (int i = 0; i < 14; ++i) long_text += fmt::format("The ship number {} left harbour. ", i);
  std::vector<GenerateRequest> requests;
  for (const std::string& text :
       {std::string("Once upon a time"), std::string("def fibonacci(n):\n"), std::string("a"),
        std::string("The three largest cities of France are Paris, "), long_text}) {
    GenerateRequest request;
    request.prompt = model.tokenizer->encode_text(text);
    request.sampler.seed = requests.size();
    request.sampler.temperature = requests.size() % 2 == 0 ? 0.8f : 0.0f;
    request.max_tokens = 12;
    request.ignore_end_tokens = true;
    request.n_logprobs = 0;
    requests.push_back(std::move(request));
  }
  return requests;
}

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  bool operator==(const Tokens&) const = default;
};

// The answers to `order`, all submitted at once.
std::vector<Tokens> answers(Engine& engine, const std::vector<size_t>& order) {
  const auto all = requests(engine.model());
  std::vector<Tokens> answers(order.size());
  std::vector<std::unique_ptr<Engine::Handle>> handles;
  std::mutex mutex;
  std::condition_variable changed;
  size_t n_ended = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    handles.push_back(engine.submit(all.at(order[i]), [&, i](Event&& event) {
      const std::lock_guard lock(mutex);
      for (const auto& token : event.tokens) {
        answers[i].ids.push_back(token.id);
        answers[i].logprobs.push_back(token.logprob);
      }
      if (event.kind == Event::Kind::finished) ++n_ended;
      changed.notify_all();
    }));
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return n_ended == order.size(); });
  return answers;
}

EngineOptions options(int32_t n_threads, int32_t max_batch, int32_t prefill_chunk,
                      tensor::KvFormat kv = tensor::KvFormat::bf16) {
  EngineOptions options;
  options.n_threads = n_threads;
  options.context = 512;
  options.max_batch = max_batch;
  options.prefill_chunk = prefill_chunk;
  options.kv = kv;
  return options;
}

struct Subject {
  const char* name;
  std::shared_ptr<const models::Model> (*model)();
  tensor::KvFormat kv;
};
class DeterminismOf : public ::testing::TestWithParam<Subject> {};

TEST_P(DeterminismOf, AnswersDependOnNeitherThreadsNorBatchNorChunks) {
  const tensor::KvFormat kv = GetParam().kv;
  const auto model = GetParam().model();
  const size_t n = requests(*model).size();
  std::vector<Tokens> alone;
  {
    const auto engine = Engine::create(model, options(1, 1, 256, kv));
    for (size_t i = 0; i < n; ++i) alone.push_back(answers(*engine, {i}).at(0));
  }
  for (const Tokens& each : alone) ASSERT_EQ(each.ids.size(), 12u);
  std::mt19937 random(20240611);
  const auto draw = [&](std::vector<int32_t> from) { return from[random() % from.size()]; };
  for (int32_t round = 0; round < 4; ++round) {
    const int32_t n_threads = 1 + round % 2;
    const int32_t max_batch = draw({1, 2, 3, 8}), prefill_chunk = draw({5, 7, 32, 64, 100, 300});
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    order.push_back(order.front());  // the same one twice at once
    const auto engine = Engine::create(model, options(n_threads, max_batch, prefill_chunk, kv));
    const auto together = answers(*engine, order);
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_EQ(together[i].ids, alone[order[i]].ids)
          << "request " << order[i] << ", " << n_threads << " threads, batch " << max_batch
          << ", chunk " << prefill_chunk;
      EXPECT_EQ(together[i].logprobs, alone[order[i]].logprobs)
          << "bit for bit, request " << order[i] << ", " << n_threads << " threads, batch "
          << max_batch << ", chunk " << prefill_chunk;
    }
  }
}

std::shared_ptr<const models::Model> real() {
  return smollm2();
}

INSTANTIATE_TEST_SUITE_P(Models, DeterminismOf,
                         ::testing::Values(Subject{"bf16", real, tensor::KvFormat::bf16},
                                           Subject{"int8", real, tensor::KvFormat::int8},
                                           Subject{"int4", real, tensor::KvFormat::int4},
                                           Subject{"latent", latent, tensor::KvFormat::bf16},
                                           Subject{"sections", sections, tensor::KvFormat::bf16},
                                           Subject{"alibi", alibi, tensor::KvFormat::int8},
                                           Subject{"hybrid", hybrid, tensor::KvFormat::bf16}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Determinism, AnotherSeedIsAnotherAnswer) {
  const auto engine = Engine::create(smollm2(), options(2, 2, 256));
  std::vector<int32_t> ids[2];
  for (uint64_t seed = 0; seed < 2; ++seed) {
    GenerateRequest request = requests(*smollm2()).at(0);
    request.sampler.seed = 100 + seed;
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
    const auto handle = engine->submit(std::move(request), [&](Event&& event) {
      const std::lock_guard lock(mutex);
      for (const auto& token : event.tokens) ids[seed].push_back(token.id);
      ended = event.kind == Event::Kind::finished;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ended; });
  }
  EXPECT_NE(ids[0], ids[1]);
}

// With a head that is screened, and, for log-probabilities, with all of it.
TEST(Determinism, AScreenedHeadWritesTheSame) {
  const auto model =
      models::load_model(strata::testing::test_data("models/gemma3-270m.gguf"), "gemma3");
  const auto texts_of = [&](int32_t n_logprobs, int32_t max_batch) {
    const auto engine = Engine::create(model, options(2, max_batch, 64));
    std::vector<std::string> texts(4);
    std::vector<std::unique_ptr<Engine::Handle>> handles;
    std::mutex mutex;
    std::condition_variable changed;
    size_t n_ended = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      GenerateRequest request;
      request.prompt = model->tokenizer->encode_text("One two three four five six seven");
      request.sampler.temperature = i % 2 == 0 ? 0.0f : 0.8f;
      request.sampler.top_k = 40;
      request.sampler.repeat_penalty = i < 2 ? 1.0f : 1.2f;
      request.sampler.seed = i;
      request.max_tokens = 24;
      request.ignore_end_tokens = true;
      request.n_logprobs = n_logprobs;
      handles.push_back(engine->submit(std::move(request), [&, i](Event&& event) {
        const std::lock_guard lock(mutex);
        texts[i] += event.text;
        for (const auto& token : event.tokens) EXPECT_GT(token.logprob, -100.0f);
        if (event.kind == Event::Kind::finished) ++n_ended;
        changed.notify_all();
      }));
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return n_ended == texts.size(); });
    return texts;
  };
  const auto full = texts_of(0, 1);
  EXPECT_EQ(texts_of(-1, 1), full);
  EXPECT_EQ(texts_of(-1, 2), full);
}

}  // namespace
}  // namespace strata::inference
