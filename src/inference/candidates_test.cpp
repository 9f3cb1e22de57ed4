#include "inference/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace strata::inference {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Logits with ties, gaps, NaN and -inf; sizes around the block borders.
std::vector<float> some_logits() {
  const auto size = static_cast<size_t>(
      *rc::gen::oneOf(rc::gen::inRange(1, 70), rc::gen::inRange(250, 1300), rc::gen::just(4096)));
  const bool coarse = *rc::gen::arbitrary<bool>();
  const auto seed = *rc::gen::arbitrary<uint32_t>();
  std::vector<float> logits;
  uint64_t state = seed;
  for (size_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto bits = static_cast<int32_t>(state >> 33) % 4000;
    if (bits % 61 == 0) {
      logits.push_back(bits % 2 ? kNaN : -kInfinity);
    } else {
      logits.push_back(coarse ? static_cast<float>(bits / 500) : static_cast<float>(bits) / 97.0f);
    }
  }
  return logits;
}

std::vector<Candidate> all_sorted(std::span<const float> logits) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -kInfinity) all.push_back({static_cast<int32_t>(i), logits[i]});
  }
  std::sort(all.begin(), all.end(), likelier);
  return all;
}

std::vector<int32_t> ids(std::vector<Candidate> candidates) {
  std::sort(candidates.begin(), candidates.end(), likelier);
  std::vector<int32_t> result;
  for (const Candidate& c : candidates) result.push_back(c.id);
  return result;
}

TEST(Candidates, exponentials_are_within_two_units_in_the_last_place) {
  std::vector<float> x;
  for (float value = 0.0f; value > -87.0f; value -= 0.00173f) x.push_back(value);
  x.insert(x.end(), {-88.0f, -kInfinity, kNaN});
  std::vector<float> weights(x.size());
  exponentials(x, 0.0f, 1.0f, weights);
  for (size_t i = 0; i + 3 < x.size(); ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    ASSERT_NEAR(weights[i], exact, exact * 2.4e-7) << x[i];
  }
  EXPECT_EQ(weights[0], 1.0f);
  for (size_t i = x.size() - 3; i < x.size(); ++i) EXPECT_EQ(weights[i], 0.0f);
}

RC_GTEST_PROP(Candidates, top_k_equals_a_full_sort, ()) {
  const std::vector<float> logits = some_logits();
  const int32_t k = *rc::gen::inRange(1, static_cast<int32_t>(logits.size()) + 5);
  std::vector<Candidate> expected = all_sorted(logits);
  expected.resize(std::min(expected.size(), static_cast<size_t>(k)));
  RC_ASSERT(ids(top_k(logits, k)) == ids(expected));
}

RC_GTEST_PROP(Candidates, nucleus_is_the_shortest_sorted_prefix_that_reaches_p, ()) {
  const std::vector<float> logits = some_logits();
  const std::vector<Candidate> sorted = all_sorted(logits);
  RC_PRE(!sorted.empty());
  const auto p = static_cast<float>(*rc::gen::inRange(1, 1000)) / 1000.0f;
  const std::vector<double> probabilities = softmax(sorted, 1.0f);
  const std::vector<int32_t> kept = ids(nucleus(logits, sorted[0].logit, -1e30f, p));
  RC_ASSERT(!kept.empty() && kept.size() <= sorted.size());
  double sum = 0.0;
  for (size_t i = 0; i < kept.size(); ++i) {
    RC_ASSERT(kept[i] == sorted[i].id);
    if (i + 1 < kept.size()) sum += probabilities[i];
  }
  RC_ASSERT(sum < static_cast<double>(p) + 1e-6);
  RC_ASSERT(sum + probabilities[kept.size() - 1] > static_cast<double>(p) - 1e-6);
}

RC_GTEST_PROP(Candidates, steps_do_not_depend_on_the_order_of_the_candidates, ()) {
  std::vector<Candidate> candidates = all_sorted(some_logits());
  RC_PRE(!candidates.empty());
  std::vector<Candidate> shuffled = candidates;
  std::rotate(shuffled.begin(),
              shuffled.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(shuffled)),
              shuffled.end());
  std::reverse(shuffled.begin(), shuffled.begin() + std::ssize(shuffled) / 2);
  const auto p = static_cast<float>(*rc::gen::inRange(1, 100)) / 100.0f;
  const auto check = [&](auto step) {
    std::vector<Candidate> a = candidates;
    std::vector<Candidate> b = shuffled;
    step(a);
    step(b);
    RC_ASSERT(!a.empty());
    RC_ASSERT(ids(a) == ids(b));
  };
  check([&](auto& c) { keep_typical(c, p); });
  check([&](auto& c) { keep_min_p(c, p); });
  check([&](auto& c) { exclude_top_choices(c, p / 2); });
}

TEST(Candidates, exclusion_keeps_the_least_likely_of_the_top_choices) {
  std::vector<Candidate> three{{7, std::log(0.5f)}, {3, std::log(0.3f)}, {5, std::log(0.2f)}};
  std::vector<Candidate> kept = three;
  exclude_top_choices(kept, 0.25f);
  EXPECT_EQ(ids(kept), (std::vector<int32_t>{3, 5}));
  kept = three;
  exclude_top_choices(kept, 0.4f);  // one alone is no choice to exclude
  EXPECT_EQ(ids(kept), (std::vector<int32_t>{7, 3, 5}));
}

TEST(Candidates, first_of_equal_maxima_is_the_argmax) {
  EXPECT_EQ(argmax(std::vector<float>{1, 3, kNaN, 3, 2}), 1);
  EXPECT_EQ(argmax(std::vector<float>{-kInfinity, kNaN}), -1);
  EXPECT_EQ(argmax(std::vector<float>{-5, kInfinity}), 1);
}

TEST(Candidates, sum_of_exponentials_is_exact_enough_for_a_large_vocabulary) {
  std::vector<float> logits(262144);
  double expected = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = -static_cast<float>(i % 997) / 50.0f;
    expected += std::exp(static_cast<double>(logits[i]));
  }
  EXPECT_NEAR(sum_exp(logits, 0.0f), expected, expected * 1e-6);
}

}  // namespace
}  // namespace strata::inference
