// Beginnings that the cache still holds: used whenever they are there, and never to be seen in the
// logits.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/executor.h"
#include "inference/scheduler.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using Tokens = std::vector<int32_t>;
using ModelPtr = std::shared_ptr<const models::Model>;

Tokens random_tokens(std::mt19937& random, size_t n, int32_t n_vocab) {
  Tokens tokens;
  for (size_t i = 0; i < n; ++i) {
    tokens.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(n_vocab)));
  }
  return tokens;
}

// Computes the rest of `tokens` in pieces; the logits behind the last.
std::vector<float> go_on(Executor& executor, SequenceId sequence, const Tokens& tokens,
                         size_t piece) {
  std::span<const float> logits;
  auto position = static_cast<size_t>(executor.length(sequence));
  while (position < tokens.size()) {
    std::vector<Row> rows;
    for (size_t i = 0; i < piece && position < tokens.size(); ++i, ++position) {
      rows.push_back({tokens[position], static_cast<int32_t>(position), sequence,
                      position + 1 == tokens.size()});
    }
    logits = executor.step(rows);
  }
  return {logits.begin(), logits.end()};
}

std::vector<float> from_nothing(const ModelPtr& model, const Tokens& tokens,
                                tensor::KvFormat kv = tensor::KvFormat::bf16) {
  const auto executor =
      make_fast_executor(model, {.n_threads = 1, .n_positions_limit = 2048, .kv = kv});
  return go_on(*executor, executor->create_sequence(), tokens, 512);
}

TinyOptions windowed() {
  TinyOptions options;
  options.windows = {0, 40, 200};
  return options;
}

TinyOptions latent() {
  TinyOptions options;
  options.n_latent = 64;
  options.rope_dims = 16;
  return options;
}

TEST(Prefix, ASecondSequenceGoesOnWhereTheFirstIsTheSame) {
  const auto model = tiny_model(windowed());
  const auto executor = make_fast_executor(
      model, {.n_threads = 1, .n_positions_limit = 2048, .n_positions_kept = 2048});
  std::mt19937 random(1);
  const Tokens text = random_tokens(random, 700, model->spec.n_vocab);
  const SequenceId first = executor->create_sequence_from(text, 0);
  EXPECT_EQ(executor->length(first), 0);
  go_on(*executor, first, text, 256);

  Tokens other = text;
  other.resize(650);
  other.push_back(text[650] + 1 < model->spec.n_vocab ? text[650] + 1 : 0);
  // While the first one lives, its whole blocks are shared.
  const SequenceId beside = executor->create_sequence_from(other, 0);
  EXPECT_EQ(executor->length(beside), 640);
  EXPECT_EQ(go_on(*executor, beside, other, 5), from_nothing(model, other));
  executor->remove_sequence(beside);
  // When it is gone, every position.
  executor->remove_sequence(first);
  EXPECT_EQ(executor->stats().kv_bytes_used, 0);
  EXPECT_GT(executor->stats().kv_bytes_kept, 0);
  const SequenceId again = executor->create_sequence_from(text, 0);
  EXPECT_EQ(executor->length(again), 699) << "the last one's logits are wanted";
  EXPECT_EQ(go_on(*executor, again, text, 1), from_nothing(model, text));
  executor->remove_sequence(again);
  const SequenceId third = executor->create_sequence_from(other, 0);
  EXPECT_EQ(executor->length(third), 650);
  const SequenceId stranger = executor->create_sequence_from(other, 7);
  EXPECT_EQ(executor->length(stranger), 0) << "another scope sees nothing of it";
}

TEST(Prefix, NothingIsKeptWithoutAllowanceAndNoMoreThanIsAllowed) {
  const auto model = tiny_model({});
  std::mt19937 random(2);
  for (const int64_t allowed : {0, 256}) {
    const auto executor = make_fast_executor(
        model, {.n_threads = 1, .n_positions_limit = 2048, .n_positions_kept = allowed});
    const int64_t position =
        executor->stats().kv_bytes_reserved /
        (executor->stats().n_positions_free > 0 ? executor->stats().n_positions_free : 1);
    for (int i = 0; i < 5; ++i) {
      const Tokens text = random_tokens(random, 300, model->spec.n_vocab);
      const SequenceId sequence = executor->create_sequence_from(text, 0);
      go_on(*executor, sequence, text, 256);
      executor->remove_sequence(sequence);
      EXPECT_LE(executor->stats().kv_bytes_kept, allowed * position);
      EXPECT_EQ(executor->stats().kv_bytes_used, 0);
    }
    EXPECT_EQ(executor->stats().kv_bytes_kept > 0, allowed > 0);
  }
}

// Sequences of a family tree of texts come, grow, are cut back and go in random order, in a cache
// that is too small for all of them.
TinyOptions hybrid() {
  TinyOptions options;
  options.n_state = 24;
  options.windows = {0, 0, 40};
  return options;
}

TinyOptions sections() {
  TinyOptions options;
  options.sections = options.sinks = true;
  options.windows = {40, 0, 200};
  return options;
}

struct Kept {
  const char* name;
  tensor::KvFormat format;
  TinyOptions (*options)();
};
class PrefixOf : public ::testing::TestWithParam<Kept> {};

TEST_P(PrefixOf, LogitsNeverDependOnWhatIsReused) {
  const tensor::KvFormat kv = GetParam().format;
  const auto model = tiny_model(GetParam().options());
  const int32_t n_vocab = model->spec.n_vocab;
  std::mt19937 random(3);
  std::vector<Tokens> texts;
  for (size_t i = 0; i < 12; ++i) {
    Tokens text;
    if (i > 2) {
      const Tokens& parent = texts[random() % texts.size()];
      text.assign(parent.begin(),
                  parent.begin() + static_cast<std::ptrdiff_t>(random() % parent.size()));
    }
    const Tokens more = random_tokens(random, 1 + random() % 400, n_vocab);
    text.insert(text.end(), more.begin(), more.end());
    texts.push_back(text);
  }
  std::vector<std::vector<float>> expected;
  for (const Tokens& text : texts) expected.push_back(from_nothing(model, text, kv));

  const auto executor = make_fast_executor(
      model, {.n_threads = 2, .n_positions_limit = 512, .n_positions_kept = 1500, .kv = kv});
  std::vector<SequenceId> live;
  int64_t n_reused = 0;
  for (int round = 0; round < 120; ++round) {
    const size_t which = random() % texts.size();
    const Tokens& text = texts[which];
    const SequenceId sequence = executor->create_sequence_from(text, 0);
    live.push_back(sequence);
    n_reused += executor->length(sequence);
    ASSERT_LT(static_cast<size_t>(executor->length(sequence)), text.size());
    if (!executor->fits(sequence, static_cast<int32_t>(text.size()))) {
      for (const SequenceId id : live) executor->remove_sequence(id);
      live.clear();
      continue;
    }
    ASSERT_EQ(go_on(*executor, sequence, text, 1 + random() % 200), expected[which])
        << "round " << round;
    const auto back = static_cast<int32_t>(random() % 30);
    if (back < executor->length(sequence)) {  // within every window's slack
      executor->truncate(sequence, executor->length(sequence) - 1 - back);
      ASSERT_EQ(go_on(*executor, sequence, text, 7), expected[which]) << "cut, round " << round;
    }
    if (random() % 3 != 0) {
      const size_t goes = random() % live.size();
      executor->remove_sequence(live[goes]);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(goes));
    }
  }
  EXPECT_GT(n_reused, 5000);
  for (const SequenceId id : live) executor->remove_sequence(id);
  EXPECT_EQ(executor->stats().kv_bytes_used, 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, PrefixOf,
                         ::testing::Values(Kept{"bf16", tensor::KvFormat::bf16, windowed},
                                           Kept{"int8", tensor::KvFormat::int8, windowed},
                                           Kept{"int4", tensor::KvFormat::int4, windowed},
                                           Kept{"latent", tensor::KvFormat::bf16, latent},
                                           Kept{"sections", tensor::KvFormat::bf16, sections},
                                           Kept{"hybrid", tensor::KvFormat::bf16, hybrid}),
                         [](const auto& test) { return std::string(test.param.name); });

// A scheduler over a tiny model; what its requests answered.
class Requests {
 public:
  explicit Requests(TinyOptions options = windowed(), int64_t n_state_blocks = 64) {
    options.n_vocab = tokenizer_->n_vocab();
    model_ = tiny_model(options);
    scheduler_ = std::make_unique<Scheduler>(
        make_fast_executor(model_, {.n_threads = 1,
                                    .n_positions_limit = 4096,
                                    .n_state_blocks_limit = n_state_blocks,
                                    .n_positions_kept = 2048}),
        options.n_vocab, SchedulerOptions{});
  }
  void add(const Tokens& prompt) {
    GenerateRequest request;
    request.prompt = prompt;
    request.sampler.temperature = 0.0f;
    request.max_tokens = 5;
    request.ignore_end_tokens = true;
    const uint64_t id = next_++;
    const Sink sink = [this, id](Event&& event) {
      if (event.kind == Event::Kind::finished) cached.push_back(event.usage.cached_tokens);
      texts[id] += event.text;
    };
    scheduler_->add(std::make_unique<Generation>(id, request, sink, tokenizer_,
                                                 tokenizer_->n_vocab(), 4096, nullptr));
  }
  void run() {
    while (!scheduler_->idle()) scheduler_->step();
  }
  int32_t n_vocab() const { return tokenizer_->n_vocab(); }

  std::vector<int32_t> cached;
  std::map<uint64_t, std::string> texts;

 private:
  std::shared_ptr<testing::ByteTokenizer> tokenizer_ =
      std::make_shared<testing::ByteTokenizer>(std::vector<std::string>{"the "});
  ModelPtr model_;
  std::unique_ptr<Scheduler> scheduler_;
  uint64_t next_ = 1;
};

TEST(Prefix, RequestsWithOneBeginningComputeItOnce) {
  Requests requests;
  std::mt19937 random(4);
  const Tokens prompt = random_tokens(random, 1000, requests.n_vocab());
  for (int i = 0; i < 3; ++i) requests.add(prompt);  // they arrive together
  requests.run();
  EXPECT_EQ(requests.cached, (std::vector<int32_t>{0, 896, 896})) << "whole blocks of 128";
  requests.add(prompt);
  requests.run();
  EXPECT_EQ(requests.cached.back(), 999);
  ASSERT_EQ(requests.texts.size(), 4u);
  for (const auto& [id, text] : requests.texts) EXPECT_EQ(text, requests.texts.at(1)) << id;
}

TEST(Prefix, AHybridGoesOnWhereItsStateIs) {
  const auto model = tiny_model(hybrid());
  std::mt19937 random(5);
  const Tokens text = random_tokens(random, 700, model->spec.n_vocab);
  for (const bool few : {false, true}) {
    const auto executor = make_fast_executor(model, {.n_threads = 1,
                                                     .n_positions_limit = 2048,
                                                     .n_state_blocks_limit = few ? 4 : 64,
                                                     .n_positions_kept = 2048});
    const SequenceId first = executor->create_sequence_from(text, 0);
    go_on(*executor, first, text, 100);
    executor->remove_sequence(first);
    // The end is always there; the middle where its block was not given up.
    for (const size_t n : {size_t{700}, size_t{300}}) {
      const Tokens beginning(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
      const SequenceId again = executor->create_sequence_from(beginning, 0);
      const int32_t known = executor->length(again);
      const bool all = n == 700 || !few;
      EXPECT_EQ(known == static_cast<int32_t>(n) - 1, all) << n << ": " << known;
      EXPECT_EQ(go_on(*executor, again, beginning, 7), from_nothing(model, beginning)) << n;
      executor->remove_sequence(again);
    }
  }
}

TEST(Prefix, WithFewStatesRequestsWait) {
  std::mt19937 random(6);
  Requests many(hybrid()), few(hybrid(), 5);
  for (int i = 0; i < 5; ++i) {
    const Tokens prompt = random_tokens(random, 200 + static_cast<size_t>(i) * 60, many.n_vocab());
    many.add(prompt);
    few.add(prompt);
  }
  many.run();
  few.run();
  EXPECT_EQ(few.cached.size(), 5u);
  EXPECT_EQ(few.texts, many.texts);
}

}  // namespace
}  // namespace strata::inference
