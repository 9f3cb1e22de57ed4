#include "modify/collect_importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "inference/testing/tiny_model.h"
#include "models/family/weights.h"
#include "modify/roles.h"

namespace strata::modify {
namespace {

using inference::tiny_model;

std::vector<int32_t> some_tokens(size_t n) {
  std::vector<int32_t> tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = static_cast<int32_t>(i * 31 % 90 + 3);
  return tokens;
}

// The stored tensor that a slot of the first layer's first block of that kind names.
template <class Op>
const Op& first(const models::ModelSpec& spec) {
  for (const auto& block : spec.layers[0].blocks) {
    if (const auto* op = std::get_if<Op>(&block.op)) return *op;
  }
  throw std::logic_error("no such block");
}

const std::string& name_of(const models::ModelSpec& spec, models::TensorId slot) {
  return spec.tensors[static_cast<size_t>(slot)].name;
}

TEST(CollectImportance, SumsTheSquaresOfWhatTheFirstMatricesSee) {
  const auto model = tiny_model({});
  const auto tokens = some_tokens(64);
  const Importance found =
      collect_importance(model, tokens, {.context = 32, .n_threads = 2, .bos = 1});
  EXPECT_EQ(found.n_chunks, 2u);
  EXPECT_EQ(found.chunk_tokens, 32u);
  // The first attention sees the norm of the embeddings: sums over the chunks, BOS in front of
  // each.
  const auto& spec = model->spec;
  const auto table = models::dequantize(
      models::find_weight(*model->file, spec.tensors[static_cast<size_t>(spec.token_embedding)]));
  const auto& norm = spec.layers[0].blocks[0].pre_norm;
  const auto scale = models::dequantize(
      models::find_weight(*model->file, spec.tensors[static_cast<size_t>(norm.weight)]));
  const auto width = static_cast<size_t>(spec.n_embd);
  std::vector<double> expected(width);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const float* row = table.data() + static_cast<size_t>(i % 32 == 0 ? 1 : tokens[i]) * width;
    double squares = 0.0;
    for (size_t c = 0; c < width; ++c) squares += std::pow(static_cast<double>(row[c]), 2);
    const double factor =
        1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(norm.epsilon));
    for (size_t c = 0; c < width; ++c) {
      expected[c] += std::pow(static_cast<double>(row[c] * scale[c]) * factor, 2);
    }
  }
  const auto& q = found.entries.at(name_of(spec, first<models::Attention>(spec).q.weight));
  ASSERT_EQ(q.sums.size(), width);
  EXPECT_EQ(q.counts, std::vector<float>{64});
  for (size_t c = 0; c < width; ++c) {
    EXPECT_NEAR(static_cast<double>(q.sums[c]), expected[c], 1e-3 * expected[c]);
  }
}

TEST(CollectImportance, HasAnEntryForEachMatrixButEmbeddingAndHead) {
  const auto model = tiny_model({});
  const Importance found = collect_importance(model, some_tokens(40), {.context = 40});
  for (const auto& [name, place] : places_of(model->spec)) {
    const bool left_out = place.role == Role::embedding || place.role == Role::head;
    EXPECT_EQ(found.entries.contains(name), !left_out) << name;
  }
}

TEST(CollectImportance, CountsEachExpertByItself) {
  const auto model = tiny_model({.n_experts = 4, .n_used = 2});
  const Importance found = collect_importance(model, some_tokens(96), {.context = 48});
  const auto& moe = first<models::Moe>(model->spec);
  for (const auto slot : {moe.experts[0].up.weight, moe.experts[0].down.weight}) {
    const auto& entry = found.entries.at(name_of(model->spec, slot));
    ASSERT_EQ(entry.counts.size(), 4u);
    EXPECT_EQ(std::accumulate(entry.counts.begin(), entry.counts.end(), 0.0f), 96 * 2);
    const size_t cols = entry.sums.size() / 4;
    for (size_t expert = 0; expert < 4; ++expert) {
      const float sum =
          std::accumulate(entry.sums.begin() + static_cast<int64_t>(expert * cols),
                          entry.sums.begin() + static_cast<int64_t>((expert + 1) * cols), 0.0f);
      EXPECT_EQ(sum > 0.0f, entry.counts[expert] > 0.0f);
    }
  }
  EXPECT_FALSE(found.entries.contains(name_of(model->spec, moe.router.weight)));
}

// Matrices of each head of latent attention. A position that sees only itself has its own latent
// vector as the mean of all: what keys and values are made of is the same.
TEST(CollectImportance, HasTheMatricesOfEachHeadOfLatentAttention) {
  const auto sums_of = [](const Importance& found, const models::ModelSpec& spec,
                          const std::vector<models::TensorId>& slots) {
    EXPECT_EQ(slots.size(), 4u);
    const Importance::Entry& entry = found.entries.at(name_of(spec, slots[0]));
    EXPECT_EQ(entry.counts, std::vector<float>(slots.size(), 40.0f));
    EXPECT_GT(*std::ranges::min_element(entry.sums), 0.0f);
    return entry.sums;
  };
  for (const bool transposed : {false, true}) {
    const auto model = tiny_model({.n_latent = 64, .plain_dim = 32, .k_b_transposed = transposed});
    const Importance found = collect_importance(model, some_tokens(40), {.context = 1});
    const auto& op = first<models::LatentAttention>(model->spec);
    const auto of_keys = sums_of(found, model->spec, op.k_b);
    const auto of_values = sums_of(found, model->spec, op.v_b);
    EXPECT_EQ(of_values.size(), 4u * 64);
    ASSERT_EQ(of_keys.size(), 4u * (transposed ? 32 : 64));
    if (transposed) continue;
    for (size_t i = 0; i < of_keys.size(); ++i) EXPECT_FLOAT_EQ(of_keys[i], of_values[i]) << i;
  }
}

TEST(CollectImportance, RefusesATextBelowAChunkAndStopsWhenTold) {
  const auto model = tiny_model({});
  EXPECT_EQ(strata::testing::error_of([&] {
              collect_importance(model, some_tokens(31), {.context = 32});
            }).code(),
            Code::invalid_argument);
  EXPECT_EQ(strata::testing::error_of([&] {
              collect_importance(
                  model, some_tokens(96),
                  {.context = 32, .progress = [](int64_t, int64_t) { return false; }});
            }).code(),
            Code::cancelled);
}

// An interrupt is asked for between the steps of a chunk, which may take minutes.
TEST(CollectImportance, TellsOfEachStepOfAChunk) {
  std::vector<int64_t> steps;
  const auto model = tiny_model({});
  collect_importance(model, some_tokens(600),
                     {.context = 300, .progress = [&](int64_t done, int64_t total) {
                        EXPECT_EQ(total, 600);
                        steps.push_back(done);
                        return true;
                      }});
  EXPECT_EQ(steps, (std::vector<int64_t>{128, 256, 300, 428, 556, 600}));
}

}  // namespace
}  // namespace strata::modify
