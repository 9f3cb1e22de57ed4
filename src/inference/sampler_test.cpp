#include "inference/sampler.h"

#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "inference/noise.h"
#include "inference/testing/byte_tokenizer.h"

namespace strata::inference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float share(int32_t least, int32_t most) {
  return static_cast<float>(*rc::gen::inRange(least, most + 1)) / 100.0f;
}

SamplerParams some_params(int32_t n_vocab) {
  SamplerParams p;
  p.temperature = share(0, 250);
  p.top_k = *rc::gen::inRange(0, 30);
  p.top_p = share(0, 100);
  p.min_p = share(0, 100);
  p.typical_p = share(0, 100);
  p.top_n_sigma = share(0, 300);
  p.xtc_probability = share(0, 100);
  p.xtc_threshold = share(0, 100);
  p.repeat_last_n = *rc::gen::inRange(-1, 20);
  p.repeat_penalty = share(1, 200);
  p.presence_penalty = share(-200, 200);
  p.frequency_penalty = share(-200, 200);
  p.dry_multiplier = share(0, 200);
  p.dry_base = share(100, 300);
  p.dry_allowed_length = *rc::gen::inRange(0, 4);
  p.dry_penalty_last_n = *rc::gen::inRange(-1, 30);
  p.mirostat = *rc::gen::element(0, 0, 0, 2);
  p.mirostat_tau = *rc::gen::element(5.0f, 1e-3f, 1000.0f);
  p.mirostat_eta = *rc::gen::element(0.1f, 1e-3f, 1000.0f);
  p.seed = *rc::gen::arbitrary<uint64_t>();
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    p.logit_bias[*rc::gen::inRange(0, n_vocab)] =
        *rc::gen::element(-kInfinity, -2.5f, 100.0f, kInfinity);
  }
  return p;
}

float any_float() {
  return *rc::gen::weightedOneOf<float>(
      {{8, rc::gen::map(rc::gen::inRange(-2000, 2000),
                        [](int x) { return static_cast<float>(x) / 100.0f; })},
       {1, rc::gen::element(kInfinity, -kInfinity, std::nanf(""), std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::lowest(), 1e-42f)}});
}

RC_GTEST_PROP(Sampler, any_logits_and_parameters_give_a_token_of_the_distribution, ()) {
  const int32_t n_vocab = *rc::gen::inRange(1, 40);
  std::vector<float> logits;
  for (int32_t i = 0; i < n_vocab; ++i) logits.push_back(any_float());
  const auto history = *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, n_vocab));
  const SamplerParams params = some_params(n_vocab);
  validate(params, n_vocab);
  Sampler sampler(params, 0, std::make_shared<DryBreakers>());
  std::vector<WeightedToken> distribution;
  try {
    distribution = sampler.distribution(logits, history);
  } catch (const Error& e) {
    RC_ASSERT(e.code() == Code::internal);
    RC_ASSERT_THROWS_AS(sampler.sample(logits, history), Error);
    return;
  }
  RC_ASSERT(!distribution.empty());
  if (params.top_k > 0 && params.mirostat == 0) {
    RC_ASSERT(distribution.size() <= static_cast<size_t>(params.top_k));
  }
  double sum = 0.0;
  for (const WeightedToken& t : distribution) {
    RC_ASSERT(t.id >= 0 && t.id < n_vocab);
    RC_ASSERT(t.probability >= 0.0 && t.probability <= 1.0 + 1e-9);
    sum += t.probability;
  }
  RC_ASSERT(std::abs(sum - 1.0) < 1e-9);
  int32_t id = sampler.sample(logits, history);
  RC_ASSERT(std::any_of(distribution.begin(), distribution.end(),
                        [&](const WeightedToken& t) { return t.id == id && t.probability > 0.0; }));
  for (int i = 0; i < 10; ++i) {  // mirostat goes on from what it chose
    id = sampler.sample(logits, history);
    RC_ASSERT(id >= 0 && id < n_vocab);
  }
}

TEST(Sampler, refuses_steps_of_mirostat_that_leave_the_numbers) {
  SamplerParams params;
  params.mirostat = 2;
  params.mirostat_eta = 3e38f;
  EXPECT_THROW(validate(params, 10), Error);
  params.mirostat_eta = 0.1f;
  params.mirostat_tau = std::nanf("");
  EXPECT_THROW(validate(params, 10), Error);
}

// Draws at many positions and compares the counts with the distribution: chi-squared, with a bound
// that true draws pass all but once in about 10,000.
void expect_counts(SamplerParams params, const std::vector<float>& logits, double bound) {
  constexpr int kDraws = 40000;
  Sampler sampler(params, 3, nullptr);
  std::map<int32_t, double> counts;
  std::vector<int32_t> history;
  for (int i = 0; i < kDraws; ++i) {
    counts[sampler.sample(logits, history)] += 1.0;
    history.push_back(0);
  }
  double chi_squared = 0.0;
  double expected_total = 0.0;
  for (const WeightedToken& t : sampler.distribution(logits, {})) {
    const double expected = t.probability * kDraws;
    chi_squared += (counts[t.id] - expected) * (counts[t.id] - expected) / expected;
    expected_total += counts[t.id];
  }
  EXPECT_EQ(expected_total, kDraws);  // nothing outside the distribution
  EXPECT_LT(chi_squared, bound);
}

TEST(Sampler, counts_follow_the_distribution) {
  std::vector<float> logits;
  for (int i = 0; i < 16; ++i) logits.push_back(static_cast<float>((i * 7) % 16) * 0.2f);
  SamplerParams params;
  params.repeat_last_n = 0;
  params.seed = 11;
  expect_counts(params, logits, 45);  // 15 degrees of freedom, the whole-vocabulary path
  params.temperature = 0.7f;
  expect_counts(params, logits, 45);
  params.top_k = 8;
  expect_counts(params, logits, 30);  // 7
  params.top_p = 0.5f;
  expect_counts(params, logits, 30);
  params.seed = 12;
  expect_counts(params, logits, 30);
}

TEST(Sampler, exclusion_happens_as_often_as_asked) {
  const std::vector<float> logits{std::log(0.6f), std::log(0.4f)};
  SamplerParams params;
  params.xtc_probability = 0.25f;
  params.xtc_threshold = 0.3f;
  params.seed = 5;
  Sampler sampler(params, 0, nullptr);
  int excluded = 0;
  std::vector<int32_t> history;
  for (int i = 0; i < 20000; ++i) {
    excluded += sampler.distribution(logits, history).size() == 1 ? 1 : 0;
    history.push_back(0);
  }
  EXPECT_NEAR(excluded, 5000, 250);  // four standard deviations
}

TEST(Sampler, choice_seed_and_position_each_change_the_draw_and_nothing_else_does) {
  std::vector<float> logits(1000, 0.0f);
  SamplerParams params;
  params.seed = 1;
  const auto draw = [&](uint64_t seed, int32_t choice, size_t position) {
    params.seed = seed;
    return Sampler(params, choice, nullptr).sample(logits, std::vector<int32_t>(position, 0));
  };
  const int32_t first = draw(1, 0, 5);
  EXPECT_EQ(draw(1, 0, 5), first);
  EXPECT_NE(draw(2, 0, 5), first);
  EXPECT_NE(draw(1, 1, 5), first);
  EXPECT_NE(draw(1, 0, 6), first);
}

TEST(Sampler, a_draw_survives_the_loss_of_tokens_that_it_did_not_take) {
  // Noise belongs to the token: banning a loser leaves the winner.
  std::vector<float> logits(50);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  SamplerParams params;
  params.seed = 9;
  const int32_t winner = Sampler(params, 0, nullptr).sample(logits, {});
  for (int32_t loser = 0; loser < 50; ++loser) {
    if (loser == winner) continue;
    params.logit_bias = {{loser, -kInfinity}};
    EXPECT_EQ(Sampler(params, 0, nullptr).sample(logits, {}), winner);
  }
}

TEST(Sampler, greedy_takes_the_best_after_bias_and_penalties) {
  SamplerParams params;
  params.temperature = 0.0f;
  params.xtc_probability = 1.0f;  // truncation is for draws: greedy stays greedy
  const std::vector<float> logits{1.0f, 3.0f, 2.5f};
  EXPECT_EQ(Sampler(params, 0, nullptr).sample(logits, {}), 1);
  params.repeat_penalty = 2.0f;
  EXPECT_EQ(Sampler(params, 0, nullptr).sample(logits, std::vector<int32_t>{1}), 2);
  params.logit_bias[0] = 10.0f;
  EXPECT_EQ(Sampler(params, 0, nullptr).sample(logits, std::vector<int32_t>{1}), 0);
}

TEST(Sampler, nothing_left_is_an_error_with_the_number_of_logits) {
  SamplerParams params;
  Sampler sampler(params, 0, nullptr);
  const std::vector<float> broken(5, std::nanf(""));
  try {
    sampler.sample(broken, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("5 logits"), std::string::npos) << e.message();
  }
}

TEST(Sampler, mirostat_steers_the_surprise_to_its_target) {
  std::vector<float> logits(2000);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = -2.0f * std::log(static_cast<float>(i + 1)) / 2.0f;
  }
  SamplerParams params;
  params.mirostat = 2;
  params.mirostat_tau = 3.0f;
  params.seed = 4;
  Sampler sampler(params, 0, nullptr);
  std::vector<int32_t> history;
  double surprise = 0.0;
  constexpr int kTokens = 4000;
  for (int i = 0; i < kTokens; ++i) {
    const std::vector<WeightedToken> before = sampler.distribution(logits, history);
    const int32_t id = sampler.sample(logits, history);
    for (const WeightedToken& t : before) {
      if (t.id == id) surprise -= std::log2(t.probability);
    }
    history.push_back(id);
  }
  EXPECT_NEAR(surprise / kTokens, 3.0, 0.1);
}

TEST(Sampler, breakers_are_found_in_pieces_and_across_their_borders) {
  const testing::ByteTokenizer tokenizer({"a:", "x\n\n", "--", "-"});
  const std::vector<std::string> breakers{":", "---"};
  const auto made = make_dry_breakers(tokenizer, breakers);
  EXPECT_TRUE(made->breaks_alone(':'));
  EXPECT_TRUE(made->breaks_alone(256));  // "a:" holds it
  EXPECT_FALSE(made->breaks_alone(257));
  ASSERT_TRUE(made->tails.count(258));  // "--" begins "---" twice over
  EXPECT_EQ(made->tails.at(258).size(), 2u);
  EXPECT_FALSE(made->tails.count('a'));
}

TEST(Sampler, repetition_is_lowered_the_more_the_longer_it_is) {
  SamplerParams params;
  params.dry_multiplier = 1.0f;
  params.dry_base = 2.0f;
  params.dry_allowed_length = 2;
  const DryBreakers none;
  // "1 2 3 4 ... 1 2 3": 4 would make a repetition of 3 longer.
  const std::vector<int32_t> history{1, 2, 3, 4, 9, 1, 2, 3};
  const std::vector<LogitPenalty> penalties = dry_penalties(params, none, history);
  ASSERT_EQ(penalties.size(), 1u);
  EXPECT_EQ(penalties[0].id, 4);
  EXPECT_FLOAT_EQ(penalties[0].penalty, 2.0f);  // 2^(3 - 2)
  DryBreakers at_two;
  at_two.tails[2].push_back({});  // the repetition may only reach back to behind the 2
  EXPECT_TRUE(dry_penalties(params, at_two, history).empty());
}

RC_GTEST_PROP(Sampler, bad_parameters_are_refused_by_name, ()) {
  SamplerParams p;
  const auto bad = *rc::gen::element(std::nanf(""), kInfinity, -1.0f);
  float SamplerParams::* const members[] = {
      &SamplerParams::top_p,          &SamplerParams::min_p,    &SamplerParams::typical_p,
      &SamplerParams::repeat_penalty, &SamplerParams::dry_base, &SamplerParams::mirostat_tau};
  p.*members[*rc::gen::inRange<size_t>(0, std::size(members))] = bad;
  RC_ASSERT_THROWS_AS(validate(p, 10), Error);
}

}  // namespace
}  // namespace strata::inference
