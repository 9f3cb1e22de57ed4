// Vectors of sequences: pieces, batches, cancelling and failing; what is right is decided in
// encoder_reference_test.cpp.
#include "inference/embedder.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"

namespace strata::inference {
namespace {

using models::Pooling;

std::shared_ptr<const models::Model> decoder(Pooling pooling) {
  static const std::vector<std::byte> bytes = models::tiny_llama().build();
  auto model = std::make_shared<models::Model>();
  model->file = models::parse_gguf(bytes);
  model->spec = models::describe_model(*model->file);
  model->spec.pooling = pooling;
  return model;
}

std::vector<EmbeddingInput> inputs() {
  std::vector<EmbeddingInput> out;
  for (const int32_t length : {1, 7, 30}) {
    EmbeddingInput& input = out.emplace_back();
    for (int32_t i = 0; i < length; ++i) input.ids.push_back(3 + (length * 5 + i * 7) % 45);
  }
  return out;
}

struct Heard {
  int n_calls = 0;
  std::vector<Embedding> embeddings;
  std::optional<Code> error;

  EmbeddingSink sink() {
    return [this](std::vector<Embedding>&& made, const Error* failed) {
      ++n_calls;
      embeddings = std::move(made);
      if (failed != nullptr) error = failed->code();
    };
  }
};

std::vector<Embedding> embed(const std::shared_ptr<const models::Model>& model, Executor& executor,
                             int32_t max_rows) {
  Embedder embedder(model, executor, max_rows);
  Heard heard;
  embedder.add(1, inputs(), heard.sink());
  while (!embedder.idle()) embedder.step();
  EXPECT_EQ(heard.n_calls, 1);
  EXPECT_FALSE(heard.error.has_value());
  return heard.embeddings;
}

TEST(Embedder, ADecodersTextMayComeInPieces) {
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::first}) {
    const auto model = decoder(pooling);
    for (const auto make : {make_float32_executor, make_fast_executor}) {
      const auto executor = make(model, {.n_threads = 1});
      const auto whole = embed(model, *executor, 1000);
      ASSERT_EQ(whole.size(), 3u);
      for (const int32_t max_rows : {1, 4, 16}) {
        const auto pieces = embed(model, *executor, max_rows);
        for (size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(pieces[i].vector, whole[i].vector);
      }
      EXPECT_EQ(executor->stats().kv_bytes_used, 0) << "nothing of a text stays";
    }
  }
}

TEST(Embedder, PoolsAsTheSpecSays) {
  const auto last = decoder(Pooling::last);
  const auto executor = make_float32_executor(last, {.n_threads = 1});
  const auto of_last = embed(last, *executor, 64);
  const auto of_first = embed(decoder(Pooling::first), *executor, 64);
  const auto of_mean = embed(decoder(Pooling::mean), *executor, 64);
  EXPECT_EQ(of_last[0].vector, of_first[0].vector) << "of one token";
  EXPECT_EQ(of_last[0].vector, of_mean[0].vector);
  EXPECT_NE(of_last[1].vector, of_first[1].vector);
  EXPECT_NE(of_last[1].vector, of_mean[1].vector);
}

TEST(Embedder, CancellingGivesBackWhatASequenceHeld) {
  const auto model = decoder(Pooling::mean);
  const auto executor = make_fast_executor(model, {.n_threads = 1});
  Embedder embedder(model, *executor, 4);
  Heard first;
  Heard second;
  embedder.add(1, inputs(), first.sink());
  embedder.add(2, inputs(), second.sink());
  embedder.step();
  embedder.step();
  EXPECT_EQ(first.n_calls, 0);
  embedder.cancel(1);
  EXPECT_EQ(first.error, Code::cancelled);
  embedder.cancel(1);
  EXPECT_EQ(first.n_calls, 1) << "cancelled once";
  while (!embedder.idle()) embedder.step();
  EXPECT_FALSE(second.error.has_value());
  EXPECT_EQ(second.embeddings.size(), 3u);
  EXPECT_EQ(executor->stats().kv_bytes_used, 0);
}

TEST(Embedder, WhatDoesNotFitTheCacheFailsAlone) {
  const auto model = decoder(Pooling::last);
  const auto executor = make_float32_executor(model, {.n_threads = 1, .n_positions_limit = 20});
  Embedder embedder(model, *executor, 64);
  Heard heard;
  embedder.add(1, inputs(), heard.sink());
  Heard small;
  embedder.add(2, {inputs()[0]}, small.sink());
  while (!embedder.idle()) embedder.step();
  EXPECT_EQ(heard.error, Code::resource_exhausted) << "30 tokens in 20 positions";
  EXPECT_EQ(small.n_calls, 1);
  EXPECT_FALSE(small.error.has_value());
}

// A block of the cache holds 128 positions of one sequence, however short that is.
TEST(Embedder, ManyShortTextsWaitForBlocks) {
  const auto model = decoder(Pooling::last);
  const auto executor = make_fast_executor(model, {.n_threads = 1, .n_positions_limit = 512});
  Embedder embedder(model, *executor, 256);
  std::vector<EmbeddingInput> many(60, EmbeddingInput{{1, 5}});
  Heard heard;
  embedder.add(1, many, heard.sink());
  while (!embedder.idle()) embedder.step();
  EXPECT_FALSE(heard.error.has_value());
  ASSERT_EQ(heard.embeddings.size(), 60u);
  EXPECT_EQ(heard.embeddings[59].vector, heard.embeddings[0].vector);
}

TEST(Embedder, WaitsWhereAnswersTookTheRoomMeanwhile) {
  const auto model = decoder(Pooling::last);
  const auto executor = make_fast_executor(model, {.n_threads = 1, .n_positions_limit = 512});
  Embedder embedder(model, *executor, 4);
  const auto alone = embed(model, *executor, 1000);
  std::vector<EmbeddingInput> three(3, inputs()[2]);
  Heard heard;
  embedder.add(1, three, heard.sink());
  embedder.step();  // the first has its block, the others have not begun
  const SequenceId answer = executor->create_sequence();
  std::vector<Row> rows;
  while (executor->fits(answer, static_cast<int32_t>(rows.size()) + 1)) {
    rows.push_back({3, static_cast<int32_t>(rows.size()), answer, false});
  }
  executor->step(rows);
  EXPECT_GT(rows.size(), 200u);
  while (!embedder.idle()) embedder.step();
  EXPECT_FALSE(heard.error.has_value());
  ASSERT_EQ(heard.embeddings.size(), 3u);
  for (const Embedding& each : heard.embeddings) EXPECT_EQ(each.vector, alone[2].vector);
}

TEST(EmbeddingInputs, AreCheckedBeforeAnythingIsDone) {
  const auto model = decoder(Pooling::last);
  const auto check = [&](std::vector<int32_t> ids) {
    const EmbeddingInput input{std::move(ids)};
    check_embedding_inputs(model->spec, std::span(&input, 1), 4);
  };
  EXPECT_NO_THROW(check({1, 2, 3, 47}));
  EXPECT_THROW(check({}), Error);
  EXPECT_THROW(check({48}), Error);
  EXPECT_THROW(check({-1}), Error);
  EXPECT_THROW(check({1, 2, 3, 4, 5}), Error);
}

}  // namespace
}  // namespace strata::inference
