// Models with an encoder: both executors and the engine on the models of hf_*.json that read a
// source (hf_reference_test.cpp compares the float32 executor's logits with transformers').
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "inference/embedding.h"
#include "inference/engine_thread.h"
#include "inference/memory.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/reference.h"
#include "inference/testing/tiny_model.h"
#include "models/family/hf_model.h"
#include "models/testing/hf_model.h"

namespace strata::inference {
namespace {

struct Pair {
  std::vector<int32_t> source;
  std::vector<int32_t> text;
  std::vector<int32_t> greedy;  // what transformers writes behind the first token
};

struct ReadingModel {
  explicit ReadingModel(const std::string& name) {
    const json::value fixture = read_fixture(name);
    models::write_hf_folder(folder.path(), fixture.at("config").as_object(),
                            fixture.at("tensors").as_object());
    const auto made = std::make_shared<models::Model>();
    made->name = name;
    made->file = models::translate(std::make_shared<models::HfFolder>(folder.path()));
    made->spec = models::describe_model(*made->file);
    made->tokenizer = std::make_shared<testing::ByteTokenizer>();
    model = made;
    for (const auto& entry : fixture.at("sequences").as_array()) {
      Pair pair{json::value_to<std::vector<int32_t>>(entry.at("source")),
                json::value_to<std::vector<int32_t>>(entry.at("ids")),
                json::value_to<std::vector<int32_t>>(entry.at("greedy"))};
      EXPECT_EQ(pair.greedy.front(), model->spec.encoder->first_token);
      pair.greedy.erase(pair.greedy.begin());
      pairs.push_back(std::move(pair));
    }
  }

  size_t n_vocab() const { return static_cast<size_t>(model->spec.n_vocab); }

  strata::testing::TempFolder folder;
  std::shared_ptr<const models::Model> model;
  std::vector<Pair> pairs;
};

std::vector<Row> rows_of_text(const Pair& pair, SequenceId sequence, size_t begin, size_t end) {
  std::vector<Row> rows;
  for (size_t at = begin; at < std::min(end, pair.text.size()); ++at) {
    rows.push_back({pair.text[at], static_cast<int32_t>(at), sequence, true});
  }
  return rows;
}

using Logits = std::vector<float>;

// Each sequence by itself, whole.
std::vector<Logits> one_by_one(const ReadingModel& reading, Executor& executor) {
  std::vector<Logits> all;
  for (const Pair& pair : reading.pairs) {
    const SequenceId id = executor.create_sequence();
    executor.encode(std::vector<Source>{{id, pair.source}});
    const auto logits = executor.step(rows_of_text(pair, id, 0, pair.text.size()));
    all.emplace_back(logits.begin(), logits.end());
    executor.remove_sequence(id);
  }
  return all;
}

// All sources read together, the texts in pieces of their own sizes that share steps.
std::vector<Logits> all_together(const ReadingModel& reading, Executor& executor) {
  std::vector<Source> sources;
  for (const Pair& pair : reading.pairs)
    sources.push_back({executor.create_sequence(), pair.source});
  executor.encode(sources);
  std::vector<Logits> all(reading.pairs.size());
  std::vector<size_t> done(reading.pairs.size(), 0);
  for (size_t round = 0;; ++round) {
    std::vector<Row> rows;
    std::vector<size_t> of;
    for (size_t i = 0; i < reading.pairs.size(); ++i) {
      const size_t piece = i == 0 || round % 2 == 1 ? 1 : 5 * i;
      const auto more =
          rows_of_text(reading.pairs[i], sources[i].sequence, done[i], done[i] + piece);
      rows.insert(rows.end(), more.begin(), more.end());
      of.insert(of.end(), more.size(), i);
      done[i] += more.size();
    }
    if (rows.empty()) break;
    auto logits = executor.step(rows);
    for (const size_t i : of) {
      const auto row = logits.first(reading.n_vocab());
      all[i].insert(all[i].end(), row.begin(), row.end());
      logits = logits.subspan(row.size());
    }
  }
  for (const Source& source : sources) executor.remove_sequence(source.sequence);
  return all;
}

double relative_error(const Logits& found, const Logits& expected) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{found[i]} - double{expected[i]}, 2);
    size += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(difference / size);
}

class EncoderDecoder : public ::testing::TestWithParam<const char*> {
 protected:
  ReadingModel reading_{GetParam()};
};

TEST_P(EncoderDecoder, FastExecutorAgreesWithTheJudge) {
  const auto judge = make_float32_executor(reading_.model, {.n_threads = 2});
  const auto expected = one_by_one(reading_, *judge);
  for (const tensor::KvFormat kv : {tensor::KvFormat::bf16, tensor::KvFormat::int8}) {
    const auto fast = make_fast_executor(reading_.model, {.n_threads = 2, .kv = kv});
    const auto found = one_by_one(reading_, *fast);
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].size(), expected[i].size());
      EXPECT_LT(relative_error(found[i], expected[i]), 0.05)
          << i << " " << tensor::kv_format_name(kv);
    }
  }
}

TEST_P(EncoderDecoder, SameBitsInAnyBatchPiecesAndThreads) {
  const auto alone = make_fast_executor(reading_.model, {.n_threads = 1});
  const auto expected = one_by_one(reading_, *alone);
  for (const int32_t n_threads : {1, 3}) {
    const auto executor = make_fast_executor(reading_.model, {.n_threads = n_threads});
    EXPECT_EQ(all_together(reading_, *executor), expected) << n_threads;
    // In blocks of the cache that others have used.
    EXPECT_EQ(all_together(reading_, *executor), expected) << n_threads;
  }
}

TEST_P(EncoderDecoder, ATokenTakenBackLeavesNothing) {
  const auto executor = make_fast_executor(reading_.model, {.n_threads = 2});
  const auto expected = one_by_one(reading_, *executor);
  const Pair& pair = reading_.pairs[1];
  const SequenceId id = executor->create_sequence();
  executor->encode(std::vector<Source>{{id, pair.source}});
  executor->step(rows_of_text(pair, id, 0, 6));
  executor->truncate(id, 4);
  const auto logits = executor->step(rows_of_text(pair, id, 4, pair.text.size()));
  EXPECT_TRUE(std::ranges::equal(logits, std::span(expected[1]).subspan(4 * reading_.n_vocab())));
}

// Collects what an engine writes.
class Answers {
 public:
  Answers(Engine& engine, const std::vector<Pair>& pairs) : results_(pairs.size()) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      GenerateRequest request;
      request.prompt = pairs[i].source;
      request.sampler.temperature = 0.0f;
      request.max_tokens = static_cast<int32_t>(pairs[i].greedy.size());
      request.ignore_end_tokens = true;
      request.n_logprobs = 1;
      handles_.push_back(engine.submit(std::move(request), [this, i](Event&& event) {
        const std::lock_guard lock(mutex_);
        Result& result = results_[i];
        for (const auto& token : event.tokens) {
          result.ids.push_back(token.id);
          result.logprobs.push_back(token.logprob);
        }
        if (event.kind == Event::Kind::progress) result.progress = event.prompt_done;
        if (event.kind != Event::Kind::finished) return;
        result.usage = event.usage;
        if (event.error) result.error = event.error->message();
        ++n_finished_;
        changed_.notify_all();
      }));
    }
  }

  struct Result {
    std::vector<int32_t> ids;
    std::vector<float> logprobs;
    int32_t progress = 0;
    Usage usage;
    std::string error;
  };
  const std::vector<Result>& wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return n_finished_ == results_.size(); });
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Result> results_;
  size_t n_finished_ = 0;
  std::vector<std::unique_ptr<Engine::Handle>> handles_;
};

TEST_P(EncoderDecoder, TheEngineWritesWhatTransformersWrites) {
  EngineOptions options;
  options.float32 = true;
  const auto engine = Engine::create(reading_.model, options);
  const auto results = Answers(*engine, reading_.pairs).wait();
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].error, "");
    EXPECT_EQ(results[i].ids, reading_.pairs[i].greedy) << i;
    EXPECT_EQ(results[i].usage.prompt_tokens, reading_.pairs[i].source.size());
    EXPECT_EQ(results[i].progress, reading_.pairs[i].source.size());
    EXPECT_EQ(results[i].usage.cached_tokens, 0);
  }
}

// Log-probabilities of what was written are those of the logits that a text of the same tokens has.
TEST_P(EncoderDecoder, WhatTheEngineWritesHasItsLogprobs) {
  const auto engine = Engine::create(reading_.model, {});
  const auto results = Answers(*engine, reading_.pairs).wait();
  ReadingModel written(GetParam());
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_EQ(results[i].error, "");
    written.pairs[i].text = {reading_.model->spec.encoder->first_token};
    written.pairs[i].text.insert(written.pairs[i].text.end(), results[i].ids.begin(),
                                 results[i].ids.end() - 1);
  }
  const auto logits = one_by_one(written, *make_fast_executor(reading_.model, {}));
  for (size_t i = 0; i < results.size(); ++i) {
    for (size_t at = 0; at < results[i].ids.size(); ++at) {
      const auto row = std::span(logits[i]).subspan(at * reading_.n_vocab(), reading_.n_vocab());
      double sum = 0;
      for (const float logit : row) sum += std::exp(double{logit});
      const double expected = double{row[static_cast<size_t>(results[i].ids[at])]} - std::log(sum);
      EXPECT_NEAR(results[i].logprobs[at], expected, 1e-4);
      EXPECT_EQ(results[i].ids[at], std::ranges::max_element(row) - row.begin());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderDecoder, ::testing::Values("hf_t5", "hf_t5_gated"),
                         [](const auto& entry) { return std::string(entry.param).substr(3); });

// So small a cache that not all sources fit: requests wait or begin again, and answers stay.
TEST(EncoderDecoderEngine, AFullCacheChangesNoAnswer) {
  const ReadingModel reading("hf_t5");
  std::vector<Pair> many;
  for (int i = 0; i < 12; ++i) many.push_back(reading.pairs[static_cast<size_t>(i % 3)]);
  const auto roomy = Engine::create(reading.model, {});
  const auto expected = Answers(*roomy, many).wait();
  for (const bool float32 : {true, false}) {
    ExecutorOptions tight;
    tight.n_positions_limit = 192;
    // Of the fast one three blocks of text and of sources: 128 positions of keys and values, 16
    // numbers of bf16, three heads in two layers.
    tight.kv_bytes_limit = 2 * 3 * (128 * 2 * 16 * 2 * 3 * 2);
    if (float32) tight.kv_bytes_limit = 0;
    EngineOptions options;
    options.max_batch = 6;
    auto executor = float32 ? make_float32_executor(reading.model, tight)
                            : make_fast_executor(reading.model, tight);
    const auto engine = make_engine(reading.model, std::move(executor), options, 180);
    const auto results = Answers(*engine, many).wait();
    for (size_t i = 0; i < many.size(); ++i) {
      EXPECT_EQ(results[i].error, "");
      EXPECT_EQ(results[i].ids, float32 ? many[i].greedy : expected[i].ids) << i;
    }
  }
}

TEST(EncoderDecoderEngine, WhatItCannotDoIsSaid) {
  const ReadingModel reading("hf_t5");
  const auto engine = Engine::create(reading.model, {});
  const auto code_of = [&](GenerateRequest request) {
    try {
      engine->submit(std::move(request), [](Event&&) {});
    } catch (const Error& error) {
      return error.code();
    }
    return Code::internal;
  };
  GenerateRequest request;
  EXPECT_EQ(code_of(request), Code::invalid_argument);  // no prompt
  request.prompt = {1, 2, 3};
  request.prompt_logprobs = true;
  EXPECT_EQ(code_of(request), Code::invalid_argument);
  request.prompt_logprobs = false;
  request.prompt.assign(600, 3);  // the context is 512
  EXPECT_EQ(code_of(request), Code::invalid_argument);
  request.prompt = {91};
  EXPECT_EQ(code_of(request), Code::invalid_argument);
  const std::vector<EmbeddingInput> inputs{{{1, 2}, 0}};
  EXPECT_THROW(engine->embed(inputs, [](auto&&, auto) {}), Error);
  EXPECT_THROW(refuse_reader(*reading.model, "perplexity is"), Error);
  EXPECT_NO_THROW(refuse_reader(*tiny_model({}), "perplexity is"));
}

template <typename Call>
Code code_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::internal;
}

TEST(EncoderDecoderExecutor, SourcesAreReadOnceAndFirst) {
  const ReadingModel reading("hf_t5");
  for (const auto make : {make_float32_executor, make_fast_executor}) {
    const auto executor = make(reading.model, {.n_threads = 1});
    const SequenceId id = executor->create_sequence();
    const std::vector<int32_t> tokens{5, 6, 7};
    const std::vector<int32_t> none, unknown{4, 91};
    const std::vector<Row> row{{0, 0, id, true}};
    const auto encode = [&](std::vector<Source> sources) {
      return code_of([&] { executor->encode(sources); });
    };
    EXPECT_EQ(code_of([&] { executor->step(row); }), Code::failed_precondition);
    EXPECT_EQ(encode({{id, none}}), Code::failed_precondition);
    EXPECT_EQ(encode({{id, unknown}}), Code::invalid_argument);
    EXPECT_EQ(encode({{id + 1, tokens}}), Code::not_found);
    EXPECT_EQ(encode({{id, tokens}, {id, tokens}}), Code::failed_precondition);
    executor->encode(std::vector<Source>{{id, tokens}});
    EXPECT_EQ(encode({{id, tokens}}), Code::failed_precondition);
    EXPECT_EQ(executor->step(row).size(), reading.n_vocab());
    executor->remove_sequence(id);
    EXPECT_EQ(executor->stats().kv_bytes_used, 0);
  }
  for (const auto make : {make_float32_executor, make_fast_executor}) {
    const auto executor = make(tiny_model({}), {.n_threads = 1});
    const std::vector<int32_t> tokens{5, 6, 7};
    const std::vector<Source> sources{{executor->create_sequence(), tokens}};
    EXPECT_EQ(code_of([&] { executor->encode(sources); }), Code::failed_precondition);
  }
}

// A source that does not fit leaves its sequence as it was.
TEST(EncoderDecoderExecutor, AFullCacheReadsNothing) {
  const ReadingModel reading("hf_t5");
  for (const auto make : {make_float32_executor, make_fast_executor}) {
    const auto executor = make(reading.model, {.n_threads = 1, .n_positions_limit = 10});
    const std::vector<int32_t> large(6000, 3), small{5, 6};
    const SequenceId id = executor->create_sequence();
    const std::vector<Source> too_large{{id, large}}, right{{id, small}};
    EXPECT_EQ(code_of([&] { executor->encode(too_large); }), Code::resource_exhausted);
    executor->encode(right);
    EXPECT_EQ(executor->step(std::vector<Row>{{0, 0, id, true}}).size(), reading.n_vocab());
  }
}

TEST(EncoderDecoderMemory, SourcesAreCounted) {
  const ReadingModel reading("hf_t5");
  models::ModelSpec without = reading.model->spec;
  for (auto& layer : without.layers) layer.blocks.erase(layer.blocks.begin() + 1);
  const auto bytes = [&](const models::ModelSpec& spec) {
    return kv_bytes_per_position(spec, tensor::KvFormat::bf16);
  };
  EXPECT_EQ(bytes(reading.model->spec), 2 * bytes(without));  // as wide as attention to the text
  EXPECT_GT(bytes(without), 0);
}

}  // namespace
}  // namespace strata::inference
