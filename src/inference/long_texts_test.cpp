// Models that rotate all positions of a text in another way once it is longer than the context that
// they were first trained for: against transformers, and what the cache may share of such texts.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "inference/generation.h"
#include "inference/scheduler.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/reference.h"
#include "inference/testing/tiny_model.h"
#include "models/family/hf_model.h"
#include "models/testing/hf_model.h"

namespace strata::inference {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int32_t kShort = 16;  // of the fixture and of tiny models

// The fixture, whose longest text transformers also computed at each length around kShort.
struct Fixture {
  Fixture() {
    models::write_hf_folder(folder.path(), json.at("config").as_object(),
                            json.at("tensors").as_object());
    for (const auto& item : text.at("grown").as_array()) {
      json::array answers;
      answers.push_back(item);
      json::object entry;
      entry["ids"] = text.at("ids");
      entry["answers"] = std::move(answers);
      grown.push_back(std::move(entry));
    }
  }
  Reference reference() const {
    const auto open = [this] {
      return models::translate(std::make_shared<models::HfFolder>(folder.path()));
    };
    json::object fixture;
    fixture["sequences"] = grown;
    return {fixture, open, false};
  }

  const json::value json = read_fixture("hf_phi3_longrope");
  const json::value& text = json.at("sequences").at(2);
  strata::testing::TempFolder folder;
  json::array grown;
};

// The rows of `tokens` that the sequence has not; the logits behind the last.
std::vector<float> go_on(Executor& executor, SequenceId sequence, const Tokens& tokens) {
  std::vector<Row> rows;
  const auto n = static_cast<int32_t>(tokens.size());
  for (int32_t i = executor.length(sequence); i < n; ++i) {
    rows.push_back({tokens[static_cast<size_t>(i)], i, sequence, i + 1 == n});
  }
  const auto logits = executor.step(rows);
  return {logits.begin(), logits.end()};
}

Tokens beginning(const Tokens& tokens, size_t n) {
  return {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n)};
}

TEST(LongTexts, ATextThatGrowsIsAtEachLengthWhatTransformersMakesOfIt) {
  const Fixture fixture;
  Reference reference = fixture.reference();
  const auto executor = reference.executor();
  const Tokens& ids = reference.sequences().front().ids;
  SequenceId sequence = executor->create_sequence(1);
  double worst = 0;
  int32_t n_begun = 1;
  for (size_t n = 1; n <= ids.size(); ++n) {
    const auto length = static_cast<int32_t>(n);
    if (!executor->may_reach(sequence, length)) {
      executor->remove_sequence(sequence);
      sequence = executor->create_sequence(length);
      ++n_begun;
    }
    const auto logits = go_on(*executor, sequence, beginning(ids, n));
    for (const Sequence& at : reference.sequences()) {
      worst = std::max(worst, distance(at, length - 1, logits));
    }
  }
  EXPECT_LT(worst, kTolerance);
  EXPECT_EQ(n_begun, 2);
}

TEST(LongTexts, ATextThatGrowsOnItsOldKeysIsSeen) {
  const Fixture fixture;
  Reference reference = fixture.reference();
  const auto executor = reference.executor([](models::ModelSpec& spec) { spec.short_context = 0; });
  const Tokens& ids = reference.sequences().front().ids;
  double worst = 0;
  const SequenceId sequence = executor->create_sequence(1);
  for (size_t n = 1; n <= ids.size(); ++n) {
    const auto logits = go_on(*executor, sequence, beginning(ids, n));
    for (const Sequence& at : reference.sequences()) {
      worst = std::max(worst, distance(at, static_cast<int32_t>(n) - 1, logits));
    }
  }
  EXPECT_GT(worst, 20 * kTolerance);
}

TEST(LongTexts, AShortTextsSequenceRefusesToBecomeLong) {
  for (const bool fast : {false, true}) {
    TinyOptions options;
    options.short_context = kShort;
    const auto model = tiny_model(options);
    const auto executor = fast ? make_fast_executor(model, {.n_threads = 1})
                               : make_float32_executor(model, {.n_threads = 1});
    const SequenceId sequence = executor->create_sequence(kShort);
    EXPECT_TRUE(executor->may_reach(sequence, kShort));
    EXPECT_FALSE(executor->may_reach(sequence, kShort + 1));
    go_on(*executor, sequence, Tokens(kShort, 5));
    try {
      go_on(*executor, sequence, Tokens(kShort + 1, 5));
      ADD_FAILURE() << "it went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::failed_precondition);
      EXPECT_NE(std::string(error.what()).find("at most 16 tokens"), std::string::npos);
    }
    EXPECT_EQ(executor->length(sequence), kShort);
  }
}

// Tokens that greedy decoding writes behind each prompt, all in one batch.
std::vector<Tokens> generate(std::unique_ptr<Executor> executor, int32_t n_logits,
                             const std::vector<Tokens>& prompts, int32_t n_new,
                             SchedulerOptions options) {
  const auto tokenizer = std::make_shared<testing::ByteTokenizer>();
  Scheduler scheduler(std::move(executor), n_logits, options);
  std::vector<Tokens> written(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    GenerateRequest request;
    request.prompt = prompts[i];
    request.sampler.temperature = 0;
    request.max_tokens = n_new;
    request.ignore_end_tokens = true;
    request.token_ids = true;
    const Sink sink = [&written, i](Event&& event) {
      if (event.error) ADD_FAILURE() << event.error->what();
      for (const GeneratedToken& token : event.tokens) written[i].push_back(token.id);
    };
    scheduler.add(std::make_unique<Generation>(i, std::move(request), sink, tokenizer, n_logits,
                                               1024, nullptr));
  }
  while (!scheduler.idle()) scheduler.step();
  return written;
}

TEST(LongTexts, GenerationAcrossTheEndOfShortTextsIsThatOfTransformers) {
  const Fixture fixture;
  Reference reference = fixture.reference();
  const auto greedy = json::value_to<Tokens>(fixture.text.at("greedy"));
  const auto n_prompt = fixture.text.at("n_prompt").to_number<size_t>();
  const auto n_new = static_cast<int32_t>(greedy.size() - n_prompt);
  ASSERT_LT(n_prompt, size_t{kShort});
  ASSERT_GT(greedy.size(), size_t{kShort} + 1);
  for (const bool speculate : {false, true}) {
    auto executor = reference.executor();
    const auto n_vocab = static_cast<int32_t>(reference.n_vocab());
    const auto written = generate(std::move(executor), n_vocab, {beginning(greedy, n_prompt)},
                                  n_new, {.prefill_chunk = 4, .speculate = speculate});
    EXPECT_EQ(written.front(),
              Tokens(greedy.begin() + static_cast<std::ptrdiff_t>(n_prompt), greedy.end()));
  }
}

TinyOptions telling(int32_t short_context) {
  TinyOptions options;
  options.short_context = short_context;
  return options;
}

Tokens random_text(uint32_t seed, size_t n) {
  std::mt19937 random(seed);
  Tokens tokens;
  for (size_t i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>(random() % 96));
  return tokens;
}

// Texts that are short, become long behind 150 tokens, and are long from the beginning, some of
// them the same.
void expect_same_answers_however_they_are_run(const std::shared_ptr<const models::Model>& model) {
  const auto executor = [&](int64_t n_kept) {
    return make_fast_executor(
        model, {.n_threads = 1, .n_positions_limit = 4096, .n_positions_kept = n_kept});
  };
  const Tokens text = random_text(1, 300);
  const std::vector<Tokens> prompts{beginning(text, 140), beginning(text, 150),
                                    beginning(text, 151), text, beginning(text, 20)};
  std::vector<Tokens> alone;
  for (const Tokens& prompt : prompts) {
    alone.push_back(generate(executor(0), model->spec.n_vocab, {prompt}, 24,
                             {.max_batch = 1, .speculate = false})[0]);
    EXPECT_EQ(alone.back().size(), 24u);
  }
  EXPECT_EQ(generate(executor(4096), model->spec.n_vocab, prompts, 24, {.prefill_chunk = 32}),
            alone);
  EXPECT_EQ(generate(executor(4096), model->spec.n_vocab, prompts, 24, {.max_batch = 1}), alone);
}

TEST(LongTexts, AnswersDoNotDependOnTheBatchTheCacheOrGuesses) {
  expect_same_answers_however_they_are_run(tiny_model(telling(150)));
}

TEST(LongTexts, KeysOfLongAndOfShortTextsAreNeverShared) {
  const auto model = tiny_model(telling(200));
  const ExecutorOptions options{
      .n_threads = 1, .n_positions_limit = 4096, .n_positions_kept = 4096};
  const auto executor = make_fast_executor(model, options);
  const Tokens long_text = random_text(2, 300);
  const Tokens short_text = beginning(long_text, 199);
  const auto compute = [](Executor& with, const Tokens& tokens, int32_t n_known) {
    const SequenceId sequence = with.create_sequence_from(tokens, 0);
    EXPECT_EQ(with.length(sequence), n_known);
    const auto logits = go_on(with, sequence, tokens);
    with.remove_sequence(sequence);
    return logits;
  };
  const auto of_short = compute(*executor, short_text, 0);
  const auto of_long = compute(*executor, long_text, 0);
  EXPECT_EQ(compute(*executor, short_text, 198), of_short);
  EXPECT_EQ(compute(*executor, long_text, 299), of_long);
  EXPECT_EQ(compute(*make_fast_executor(model, options), long_text, 0), of_long);
}

// Texts whose prompts came at once and whose other tokens came one by one, as transformers computed
// them, where the base of the frequencies grows with the length.
struct Continued {
  Continued() {
    models::write_hf_folder(folder.path(), json.at("config").as_object(),
                            json.at("tensors").as_object());
    fixture["sequences"] = json.at("sequences").at(2).at("continued");
  }
  size_t n_prompt(size_t text) const {
    return fixture.at("sequences").at(text).at("n_prompt").to_number<size_t>();
  }
  Reference reference() const {
    const auto open = [this] {
      return models::translate(std::make_shared<models::HfFolder>(folder.path()));
    };
    return {fixture, open, false};
  }

  const json::value json = read_fixture("hf_llama_dynamic");
  strata::testing::TempFolder folder;
  json::object fixture;
};

// Distance from the oracle when the first `n_first` tokens come at once, of a sequence that is
// created for `n_prompt`.
double come_in_two_ways(Executor& executor, const Sequence& text, size_t n_first,
                        int32_t n_prompt) {
  const SequenceId sequence = executor.create_sequence(static_cast<int32_t>(n_first), n_prompt);
  double worst = 0;
  for (size_t n = n_first; n <= text.ids.size(); ++n) {
    const auto logits = go_on(executor, sequence, beginning(text.ids, n));
    worst = std::max(worst, distance(text, static_cast<int32_t>(n) - 1, logits));
  }
  executor.remove_sequence(sequence);
  return worst;
}

TEST(GrowingBases, ATextThatIsContinuedIsThatOfTransformers) {
  const Continued continued;
  Reference reference = continued.reference();
  const auto executor = reference.executor();
  ASSERT_EQ(reference.sequences().size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const Sequence& text = reference.sequences()[i];
    const size_t n_prompt = continued.n_prompt(i);
    EXPECT_LT(come_in_two_ways(*executor, text, n_prompt, static_cast<int32_t>(n_prompt)),
              kTolerance);
    // As a request that lost its place comes back: all that it had at once, its prompt told.
    EXPECT_LT(come_in_two_ways(*executor, text, text.ids.size(), static_cast<int32_t>(n_prompt)),
              kTolerance);
    EXPECT_GT(come_in_two_ways(*executor, text, text.ids.size(), 0), 20 * kTolerance);
  }
}

TinyOptions growing(int32_t growing_from) {
  TinyOptions options;
  options.growing_from = growing_from;
  return options;
}

TEST(GrowingBases, AnswersDoNotDependOnTheBatchTheCacheOrGuesses) {
  expect_same_answers_however_they_are_run(tiny_model(growing(150)));
}

TEST(GrowingBases, KeysOfLongTextsAreSharedByThoseOfTheirLengthOnly) {
  const auto model = tiny_model(growing(100));
  const auto executor = make_fast_executor(
      model, {.n_threads = 1, .n_positions_limit = 4096, .n_positions_kept = 4096});
  const Tokens text = random_text(4, 300);
  const auto known = [&](size_t n) {
    const SequenceId sequence = executor->create_sequence_from(beginning(text, n), 0);
    const int32_t length = executor->length(sequence);
    go_on(*executor, sequence, beginning(text, n));
    executor->remove_sequence(sequence);
    return length;
  };
  EXPECT_EQ(known(100), 0);
  EXPECT_EQ(known(90), 89) << "short texts rotate alike";
  EXPECT_EQ(known(300), 0);
  EXPECT_EQ(known(299), 0);
  EXPECT_EQ(known(300), 299);
}

}  // namespace
}  // namespace strata::inference
