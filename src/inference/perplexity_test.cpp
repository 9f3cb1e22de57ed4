// Perplexity on executors whose answers are known.
#include "inference/perplexity.h"

#include <cmath>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::inference {
namespace {

// Every row's logits give probability `share` to the successor token (previous + 1) % n_vocab and
// the rest evenly to the others.
class Counting final : public Executor {
 public:
  explicit Counting(double share, int32_t n_vocab = 10) : share_(share), n_vocab_(n_vocab) {}
  std::string_view kernels() const override { return "counting"; }
  SequenceId create_sequence(int32_t, int32_t) override { return 0; }
  void remove_sequence(SequenceId) override {}
  int32_t length(SequenceId) const override { return 0; }
  void truncate(SequenceId, int32_t) override {}
  bool fit(std::span<const Growth>) const override { return true; }
  std::span<const float> step(std::span<const Row> rows) override {
    logits_.clear();
    for (const Row& row : rows) {
      if (!row.wants_logits) continue;
      for (int32_t t = 0; t < n_vocab_; ++t) {
        const bool successor = t == (row.token + 1) % n_vocab_;
        logits_.push_back(static_cast<float>(
            3.0 + std::log(successor ? share_ : (1.0 - share_) / (n_vocab_ - 1))));
      }
    }
    return logits_;
  }
  ExecutorStats stats() const override { return {}; }

 private:
  double share_;
  int32_t n_vocab_;
  std::vector<float> logits_;
};

std::vector<int32_t> counting_text(int32_t n) {
  std::vector<int32_t> text;
  for (int32_t i = 0; i < n; ++i) text.push_back(i % 10);
  return text;
}

ExecutorFactory counting(double share) {
  return [share] { return std::make_unique<Counting>(share); };
}

TEST(Perplexity, IsTheInverseProbabilityOfTheSecondHalf) {
  const auto result =
      measure_perplexity(counting(0.5), counting_text(105), {.context = 20, .rows_per_step = 7});
  EXPECT_EQ(result.n_chunks, 5) << "the rest of 5 tokens is dropped";
  EXPECT_EQ(result.n_scored, 5 * 9) << "positions 10 to 18 of each chunk";
  EXPECT_NEAR(result.value, 2.0, 1e-5);
  EXPECT_NEAR(result.standard_error, 0.0, 1e-3);
  ASSERT_EQ(result.chunk_nll.size(), 5u);
  for (const double nll : result.chunk_nll) EXPECT_NEAR(nll, std::log(2.0), 1e-5);
}

TEST(Perplexity, TellsProgressInTokens) {
  std::vector<std::pair<int64_t, int64_t>> told;
  PerplexityOptions options{.context = 20};
  options.progress = [&](int64_t done, int64_t total) { told.emplace_back(done, total); };
  measure_perplexity(counting(0.5), counting_text(65), options);
  EXPECT_EQ(told, (std::vector<std::pair<int64_t, int64_t>>{{20, 60}, {40, 60}, {60, 60}}));
}

TEST(Perplexity, PutsBosFirst) {
  // With a context of 4 only position 2 is scored; its token is no BOS, position 0 is unseen.
  const auto result =
      measure_perplexity(counting(0.25), counting_text(40), {.context = 4, .bos = 9});
  EXPECT_EQ(result.n_scored, 10);
  EXPECT_NEAR(result.value, 4.0, 1e-5);
}

TEST(Perplexity, DivergenceIsKnown) {
  const auto result = measure_divergence(counting(0.5), counting(0.25), counting_text(40),
                                         {.context = 20, .n_threads = 2});
  const double expected = 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75);
  EXPECT_NEAR(result.mean_kl, expected, 1e-5);
  EXPECT_NEAR(result.median_kl, expected, 1e-5);
  EXPECT_NEAR(result.p999_kl, expected, 1e-5);
  EXPECT_EQ(result.top1_agreement, 1.0);
  EXPECT_NEAR(result.reference.value, 2.0, 1e-5);
  EXPECT_NEAR(result.judged.value, 4.0, 1e-5);
  const auto other_top =
      measure_divergence(counting(0.5), counting(0.01), counting_text(40), {.context = 20});
  EXPECT_EQ(other_top.top1_agreement, 0.0);
}

TEST(Perplexity, RefusesATextShorterThanAChunk) {
  EXPECT_THROW(measure_perplexity(counting(0.5), counting_text(19), {.context = 20}), Error);
  EXPECT_THROW(measure_perplexity(counting(0.5), counting_text(19), {.context = 3}), Error);
}

}  // namespace
}  // namespace strata::inference
