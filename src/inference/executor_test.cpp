// What every executor promises: the same logits for a position however it was reached, nothing
// changed by a step that fails, everything given back.
#include "inference/executor.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using Factory = std::unique_ptr<Executor> (*)(std::shared_ptr<const models::Model>,
                                              const ExecutorOptions&);
using Tokens = std::vector<int32_t>;
using Logits = std::vector<std::vector<float>>;  // by position

struct Case {
  const char* executor;
  Factory make;
  NamedOptions model;
};

template <tensor::KvFormat kFormat>
std::unique_ptr<Executor> make_scaled_executor(std::shared_ptr<const models::Model> model,
                                               const ExecutorOptions& options) {
  ExecutorOptions scaled = options;
  scaled.kv = kFormat;
  return make_fast_executor(std::move(model), scaled);
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const auto& model : tiny_variants()) {
    result.push_back({"float32", make_float32_executor, model});
    result.push_back({"fast", make_fast_executor, model});
    result.push_back({"int8", make_scaled_executor<tensor::KvFormat::int8>, model});
    result.push_back({"int4", make_scaled_executor<tensor::KvFormat::int4>, model});
  }
  return result;
}

Tokens random_tokens(uint32_t seed, int32_t n, int32_t n_vocab) {
  std::mt19937 random(seed);
  Tokens tokens(static_cast<size_t>(n));
  for (auto& token : tokens)
    token = static_cast<int32_t>(random() % static_cast<uint32_t>(n_vocab));
  return tokens;
}

std::vector<Row> rows_of(const Tokens& tokens, SequenceId sequence, int32_t begin, int32_t end) {
  std::vector<Row> rows;
  for (int32_t p = begin; p < end; ++p) {
    rows.push_back({tokens[static_cast<size_t>(p)], p, sequence, true});
  }
  return rows;
}

void append(Logits& logits, std::span<const float> flat, size_t n_rows) {
  const size_t width = flat.size() / n_rows;
  for (size_t i = 0; i < n_rows; ++i) {
    logits.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i * width),
                        flat.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
  }
}

// The sequence alone, one row a step.
Logits decode_alone(Executor& executor, const Tokens& tokens) {
  Logits logits;
  const SequenceId sequence = executor.create_sequence();
  for (int32_t p = 0; p < static_cast<int32_t>(tokens.size()); ++p) {
    append(logits, executor.step(rows_of(tokens, sequence, p, p + 1)), 1);
  }
  executor.remove_sequence(sequence);
  return logits;
}

// All sequences at once, in random pieces, some taken back and done again.
std::vector<Logits> run_mixed(Executor& executor, const std::vector<Tokens>& texts,
                              std::mt19937& random) {
  std::vector<SequenceId> ids;
  for (size_t i = 0; i < texts.size(); ++i) ids.push_back(executor.create_sequence());
  std::vector<Logits> logits(texts.size());
  for (bool working = true; working;) {
    working = false;
    std::vector<Row> rows;
    std::vector<size_t> pieces(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const int32_t done = executor.length(ids[i]);
      const auto left = static_cast<uint32_t>(texts[i].size()) - static_cast<uint32_t>(done);
      if (left == 0) continue;
      working = true;
      const auto limit = static_cast<uint32_t>(random() % 3 == 0 ? 1 : 1 + random() % 90);
      pieces[i] = random() % 4 == 0 ? 0 : std::min(left, limit);
      const auto piece = rows_of(texts[i], ids[i], done, done + static_cast<int32_t>(pieces[i]));
      rows.insert(rows.end(), piece.begin(), piece.end());
    }
    if (rows.empty()) continue;
    Logits all;
    append(all, executor.step(rows), rows.size());
    size_t row = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      for (size_t n = 0; n < pieces[i]; ++n) logits[i].push_back(all[row++]);
      const int32_t length = executor.length(ids[i]);
      if (random() % 5 == 0 && length > 3) {
        const int32_t back = static_cast<int32_t>(random() % 3);
        executor.truncate(ids[i], length - back);
        logits[i].resize(static_cast<size_t>(length - back));
      }
    }
  }
  for (const SequenceId id : ids) executor.remove_sequence(id);
  return logits;
}

class ExecutorTest : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Executor> make(int n_threads, int64_t n_positions = 4096) const {
    return GetParam().make(model_, {.n_threads = n_threads, .n_positions_limit = n_positions});
  }
  int32_t n_vocab() const { return model_->spec.n_vocab; }

  std::shared_ptr<const models::Model> model_ = tiny_model(GetParam().model.options);
};

TEST_P(ExecutorTest, SameBitsAloneAndInAnyBatchPiecesAndThreads) {
  std::vector<Tokens> texts;
  for (const int32_t n : {1, 37, 150, 330}) {
    texts.push_back(random_tokens(static_cast<uint32_t>(n), n, n_vocab()));
  }
  std::vector<Logits> expected;
  const auto alone = make(1);
  for (const Tokens& text : texts) expected.push_back(decode_alone(*alone, text));
  for (const int n_threads : {1, 2, 3}) {
    const auto executor = make(n_threads);
    std::mt19937 random(static_cast<uint32_t>(n_threads));
    const auto found = run_mixed(*executor, texts, random);
    for (size_t i = 0; i < texts.size(); ++i) {
      for (size_t p = 0; p < texts[i].size(); ++p) {
        ASSERT_EQ(found[i][p], expected[i][p])
            << "text " << i << " position " << p << " threads " << n_threads;
      }
    }
    EXPECT_EQ(executor->stats().kv_bytes_used, 0);
  }
}

TEST_P(ExecutorTest, RowsOfASequenceMayStandApart) {
  const Tokens text = random_tokens(11, 280, n_vocab()), other = random_tokens(12, 3, n_vocab());
  const Logits expected = decode_alone(*make(1), text);
  const auto executor = make(2);
  const SequenceId a = executor->create_sequence(), b = executor->create_sequence();
  auto rows = rows_of(text, a, 0, 120);
  for (const auto& part : {rows_of(other, b, 0, 3), rows_of(text, a, 120, 280)}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  Logits found;
  append(found, executor->step(rows), rows.size());
  for (size_t p = 0; p < 280; ++p) ASSERT_EQ(found[p < 120 ? p : p + 3], expected[p]) << p;
}

TEST_P(ExecutorTest, LogitsAreFinite) {
  const auto logits = decode_alone(*make(2), random_tokens(5, 20, n_vocab()));
  for (const auto& row : logits) {
    for (const float logit : row) ASSERT_TRUE(std::isfinite(logit));
  }
}

TEST_P(ExecutorTest, OnlyWantedRowsGiveLogits) {
  const auto executor = make(2);
  const Tokens text = random_tokens(7, 6, n_vocab());
  const Logits expected = decode_alone(*executor, text);
  auto rows = rows_of(text, executor->create_sequence(), 0, 6);
  for (const size_t unwanted : {0, 1, 3, 4}) rows[unwanted].wants_logits = false;
  Logits found;
  append(found, executor->step(rows), 2);
  EXPECT_EQ(found[0], expected[2]);
  EXPECT_EQ(found[1], expected[5]);
}

TEST_P(ExecutorTest, AFullCacheChangesNothing) {
  const auto executor = make(2, 128);
  const Tokens text = random_tokens(9, 64, n_vocab());
  const SequenceId kept = executor->create_sequence();
  executor->step(rows_of(text, kept, 0, 30));
  std::vector<SequenceId> others;
  try {
    for (;;) {
      others.push_back(executor->create_sequence());
      auto rows = rows_of(text, others.back(), 0, 64);
      const auto more = rows_of(text, kept, executor->length(kept), executor->length(kept) + 1);
      rows.insert(rows.begin(), more.begin(), more.end());
      if (!executor->fits(others.back(), 64)) {
        const auto before = executor->stats();
        const int32_t length = executor->length(kept);
        EXPECT_THROW(executor->step(rows), Error);
        EXPECT_EQ(executor->length(kept), length);
        EXPECT_EQ(executor->length(others.back()), 0);
        EXPECT_EQ(executor->stats().kv_bytes_used, before.kv_bytes_used);
        break;
      }
      executor->step(rows_of(text, others.back(), 0, 64));
    }
  } catch (const Error& error) {
    FAIL() << error.message();
  }
  const Logits expected = decode_alone(*make(1), text);
  for (const SequenceId id : others) executor->remove_sequence(id);
  Logits found;
  append(found, executor->step(rows_of(text, kept, 30, 64)), 34);
  for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], expected[30 + i]);
  executor->remove_sequence(kept);
  EXPECT_EQ(executor->stats().kv_bytes_used, 0);
}

TEST_P(ExecutorTest, RefusesRowsThatDoNotFollow) {
  const auto executor = make(1);
  const SequenceId id = executor->create_sequence();
  const auto step = [&](Row row) { return executor->step(std::vector<Row>{row}); };
  EXPECT_THROW(step({.token = 1, .position = 1, .sequence = id}), Error);
  EXPECT_THROW(step({.token = n_vocab(), .position = 0, .sequence = id}), Error);
  EXPECT_THROW(step({.token = -1, .position = 0, .sequence = id}), Error);
  EXPECT_THROW(step({.token = 1, .position = 0, .sequence = id + 1}), Error);
  EXPECT_THROW(executor->truncate(id, 1), Error);
  EXPECT_THROW(executor->truncate(id, -1), Error);
  EXPECT_TRUE(step({.token = 1, .position = 0, .sequence = id}).empty());
}

INSTANTIATE_TEST_SUITE_P(All, ExecutorTest, ::testing::ValuesIn(cases()), [](const auto& test) {
  return std::string(test.param.executor) + "_" + test.param.model.name;
});

}  // namespace
}  // namespace strata::inference
