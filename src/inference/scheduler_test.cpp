#include "inference/scheduler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "inference/testing/scheduler_bench.h"

namespace strata::inference {
namespace {

using testing::Answer;
using testing::Bench;
using testing::kBenchContext;
using testing::request_of;
using testing::Script;

GenerateRequest some_request() {
  auto prompt =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, 256)));
  if (prompt.size() > 40) prompt.resize(40);
  GenerateRequest request =
      request_of(std::move(prompt), *rc::gen::arbitrary<uint64_t>(), *rc::gen::inRange(-1, 25));
  request.sampler.temperature = static_cast<float>(*rc::gen::inRange(0, 20)) / 10.0f;
  request.sampler.top_k = *rc::gen::element(0, 5, 40);
  request.sampler.repeat_penalty = *rc::gen::element(1.0f, 1.3f);
  request.sampler.mirostat = *rc::gen::element(0, 0, 2);
  request.ignore_end_tokens = *rc::gen::arbitrary<bool>();
  request.prompt_logprobs = *rc::gen::arbitrary<bool>();
  request.priority = *rc::gen::element(0, 0, 1, -1);
  request.n_logprobs = *rc::gen::element(0, 3);
  if (*rc::gen::arbitrary<bool>()) request.stop = {"e", "stop", "中"};
  return request;
}

Answer alone(const GenerateRequest& request, Script script = {}) {
  script.n_pages = 1 << 20;
  Bench bench(script, {1, 1 << 16, false});
  const uint64_t id = bench.add(request);
  bench.run();
  return bench.answers[id];
}

void expect_same(const Answer& a, const Answer& b) {
  RC_ASSERT(a.n_finished == 1 && b.n_finished == 1);
  RC_ASSERT(a.reason == b.reason);
  RC_ASSERT(a.text == b.text);
  RC_ASSERT(a.ids == b.ids);
  RC_ASSERT(a.stop_string == b.stop_string);
  RC_ASSERT(a.usage.completion_tokens == b.usage.completion_tokens);
  RC_ASSERT(a.tokens.size() == b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i)
    RC_ASSERT(a.tokens[i].logprob == b.tokens[i].logprob);
  RC_ASSERT(a.prompt_tokens.size() == b.prompt_tokens.size());
  for (size_t i = 1; i < a.prompt_tokens.size(); ++i) {
    RC_ASSERT(a.prompt_tokens[i].logprob == b.prompt_tokens[i].logprob);
  }
}

RC_GTEST_PROP(Scheduler, answers_are_the_same_alone_and_in_any_mix, ()) {
  Script script;
  script.eos_bonus = *rc::gen::element(0.0f, 3.0f);
  // From a cache that holds one request alone to one that holds them all.
  script.n_pages = *rc::gen::element(17, 24, 40, 1000);
  Bench bench(script, {*rc::gen::inRange(1, 9), *rc::gen::inRange(1, 30)});
  const auto requests = *rc::gen::container<std::vector<GenerateRequest>>(
      *rc::gen::inRange<size_t>(1, 12), rc::gen::exec(some_request));
  std::vector<uint64_t> ids;
  for (const GenerateRequest& request : requests) {
    ids.push_back(bench.add(request));
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) bench.scheduler->step();
  }
  bench.run();
  for (size_t i = 0; i < ids.size(); ++i) {
    expect_same(bench.answers[ids[i]], alone(requests[i], script));
  }
  RC_ASSERT(bench.log->live_sequences == 0u);
  RC_ASSERT(bench.log->pages_used == 0);
}

RC_GTEST_PROP(Scheduler, cancelling_some_leaves_the_others_as_they_were, ()) {
  Script script;
  script.n_pages = *rc::gen::element(20, 1000);
  Bench bench(script, {4, 8});
  const auto requests = *rc::gen::container<std::vector<GenerateRequest>>(
      *rc::gen::inRange<size_t>(2, 9), rc::gen::exec(some_request));
  std::vector<uint64_t> ids;
  for (const GenerateRequest& request : requests) ids.push_back(bench.add(request));
  std::vector<uint64_t> cancelled;
  while (!bench.scheduler->idle()) {
    bench.scheduler->step();
    if (*rc::gen::inRange(0, 4) != 0) continue;
    const uint64_t victim = ids[*rc::gen::inRange<size_t>(0, ids.size())];
    if (bench.answers[victim].n_finished == 0) cancelled.push_back(victim);
    bench.scheduler->cancel(victim);
    RC_ASSERT(bench.answers[victim].n_finished == 1);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const Answer& answer = bench.answers[ids[i]];
    if (std::count(cancelled.begin(), cancelled.end(), ids[i])) {
      RC_ASSERT(answer.reason == FinishReason::cancelled);
    } else {
      expect_same(answer, alone(requests[i], script));
    }
  }
  RC_ASSERT(bench.log->live_sequences == 0u);
}

TEST(Scheduler, a_small_cache_really_throws_requests_out) {
  Script script;
  script.n_pages = 20;
  Bench bench(script, {8, 64});
  for (uint64_t i = 0; i < 8; ++i) {
    GenerateRequest request = request_of({1, 2, 3}, i, 50);
    request.ignore_end_tokens = true;
    bench.add(request);
  }
  bench.run();
  EXPECT_GT(bench.log->rejected, 0);
  for (const auto& [id, answer] : bench.answers) EXPECT_EQ(answer.ids.size(), 50u);
}

TEST(Scheduler, decoding_goes_on_while_a_long_prompt_is_worked_in_chunks) {
  Bench bench({}, {4, 4});
  GenerateRequest first = request_of({1}, 1, 30);
  first.ignore_end_tokens = true;
  const uint64_t talker = bench.add(first);
  for (int i = 0; i < 2; ++i) bench.scheduler->step();  // the second shows what a token takes
  const uint64_t reader = bench.add(request_of(std::vector<int32_t>(20, 7)));
  for (int i = 0; i < 5; ++i) {
    const size_t before = bench.answers[talker].ids.size();
    bench.scheduler->step();
    EXPECT_EQ(bench.answers[talker].ids.size(), before + 1);
  }
  EXPECT_EQ(bench.log->max_rows, 5);
  // The first rows show what a row costs.
  EXPECT_EQ(bench.answers[reader].progress, (std::vector<int32_t>{2, 6, 10, 14, 18}));
  bench.scheduler->step();
  EXPECT_EQ(bench.answers[reader].ids.size(), 1u);
}

GenerateRequest talker_of(uint64_t seed, int32_t max_tokens = 50) {
  GenerateRequest request = request_of({1}, seed, max_tokens);
  request.ignore_end_tokens = true;
  return request;
}

TEST(Scheduler, a_long_prompt_stretches_steps_by_no_more_than_the_pace) {
  SchedulerOptions options{4, 40};
  options.speculate = false;
  Bench bench({}, options);
  bench.add(talker_of(1));
  for (int i = 0; i < 5; ++i) bench.scheduler->step();
  const int64_t without = bench.log->last_step_ns;
  bench.add(request_of(std::vector<int32_t>(40, 7), 2, 1));  // teaches what a row costs
  while (bench.answers[2].n_finished == 0) bench.scheduler->step();
  const uint64_t reader = bench.add(request_of(std::vector<int32_t>(60, 8), 3, 1));
  int n_steps = 0;
  for (; bench.answers[reader].n_finished == 0; ++n_steps) {
    bench.scheduler->step();
    EXPECT_LT(static_cast<double>(bench.log->last_step_ns), 3.6 * static_cast<double>(without));
  }
  EXPECT_LT(n_steps, 4) << "the prompt has the time that is left";
  bench.run();
}

TEST(Scheduler, a_short_prompt_beside_answers_lets_no_more_of_a_long_one_through) {
  SchedulerOptions options{4, 40};
  options.speculate = false;
  Script script;
  script.row_ns = 500;
  Bench bench(script, options);
  bench.add(talker_of(1));
  for (int i = 0; i < 5; ++i) bench.scheduler->step();
  const uint64_t longer = bench.add(request_of(std::vector<int32_t>(60, 8), 3, 1));
  for (int i = 0; i < 2; ++i) bench.scheduler->step();
  const auto rows_of_step = [&] {
    const auto& progress = bench.answers[longer].progress;
    const int32_t before = progress.back();
    bench.scheduler->step();
    return progress.back() - before;
  };
  const int32_t paced = rows_of_step();
  ASSERT_LT(paced, 9);
  const uint64_t shorter = bench.add(request_of(std::vector<int32_t>(9, 9), 4, 1));
  EXPECT_LE(rows_of_step(), paced + 2);
  EXPECT_EQ(bench.answers[shorter].n_finished, 1);
  bench.run();
}

TEST(Scheduler, a_long_prompt_gets_on_among_short_ones_when_nothing_is_known_of_answers) {
  Bench bench({}, {8, 8});
  bench.add(talker_of(1));
  bench.scheduler->step();  // its prompt: no step without prompts has been seen
  const uint64_t longer = bench.add(request_of(std::vector<int32_t>(40, 7), 2, 1));
  for (uint64_t i = 0; i < 12 && bench.answers[longer].n_finished == 0; ++i) {
    bench.add(request_of({static_cast<int32_t>(100 + i)}, 3 + i, 1));
    bench.scheduler->step();
  }
  EXPECT_EQ(bench.answers[longer].n_finished, 1);
  bench.run();
}

TEST(Scheduler, a_short_prompt_does_not_wait_for_a_long_one) {
  Bench bench({}, {4, 8});
  const uint64_t longer = bench.add(request_of(std::vector<int32_t>(60, 7), 1, 1));
  bench.scheduler->step();
  const uint64_t other = bench.add(request_of(std::vector<int32_t>(50, 8), 2, 1));
  const uint64_t shorter = bench.add(request_of(std::vector<int32_t>(8, 9), 3, 1));
  for (int i = 0; i < 2; ++i) bench.scheduler->step();
  EXPECT_EQ(bench.answers[shorter].n_finished, 1);
  EXPECT_EQ(bench.answers[longer].progress, (std::vector<int32_t>{8, 12, 16})) << "half is its own";
  EXPECT_TRUE(bench.answers[other].progress.empty());
  bench.run();
}

TEST(Scheduler, what_counts_more_goes_first_and_takes_the_place_of_what_counts_less) {
  Bench bench({}, {1, 8});
  GenerateRequest request = talker_of(1, 20);
  request.priority = 5;
  const uint64_t less = bench.add(request);
  for (int i = 0; i < 4; ++i) bench.scheduler->step();
  std::vector<uint64_t> order;
  const auto note = [&](uint64_t id) {
    return [&order, id](const Event& event) {
      if (event.kind == Event::Kind::finished) order.push_back(id);
    };
  };
  const uint64_t equal = bench.add(request, note(2));
  request.priority = -1;
  const uint64_t more = bench.add(request, note(3));
  EXPECT_EQ((std::vector{less, equal, more}), (std::vector<uint64_t>{1, 2, 3}));
  bench.scheduler->step();
  EXPECT_EQ(bench.log->live_sequences, 1u);
  while (bench.answers[more].n_finished == 0) {
    EXPECT_EQ(bench.answers[less].n_finished, 0);
    bench.scheduler->step();
  }
  bench.run();
  EXPECT_EQ(order, (std::vector<uint64_t>{more, equal}));
  EXPECT_EQ(bench.answers[less].ids, alone(talker_of(1, 20)).ids)
      << "as if nothing had come between";
}

// Two prompts and nobody who ever generated: when the shorter one is through, the other gets on.
TEST(Scheduler, a_prompt_beside_the_first_answer_gets_its_rows) {
  Script script;
  script.step_ns = 10000;
  SchedulerOptions options{4, 16};
  options.speculate = false;
  Bench bench(script, options);
  bench.add(talker_of(1));
  const uint64_t reader = bench.add(request_of(std::vector<int32_t>(60, 8), 2, 1));
  int n_steps = 0;
  for (; bench.answers[reader].n_finished == 0; ++n_steps) bench.scheduler->step();
  EXPECT_LT(n_steps, 8);
  bench.run();
}

// Of a full batch nobody goes for one that would wait all the same, or would not fit then either.
TEST(Scheduler, nobody_makes_room_in_vain) {
  Script script;
  script.n_pages = 20;  // of 4 positions
  Bench bench(script, {3, 8});
  GenerateRequest keeps = request_of(std::vector<int32_t>(30, 3), 1, 20);
  keeps.ignore_end_tokens = true;
  bench.add(keeps);
  GenerateRequest less = talker_of(2, 8);
  less.priority = 5;
  const uint64_t small = bench.add(less);
  for (int i = 0; i < 6; ++i) bench.scheduler->step();
  ASSERT_EQ(bench.log->live_sequences, 2u);
  bench.add(request_of(std::vector<int32_t>(40, 4), 3, 2));
  bench.scheduler->step();
  EXPECT_EQ(bench.log->live_sequences, 2u) << "the big one does not fit beside its equal";
  bench.run();
  EXPECT_EQ(bench.answers[small].ids, alone(talker_of(2, 8)).ids);
}

// An answer that can only repeat one token: guesses are right, steps few.
TEST(Scheduler, speculation_takes_fewer_steps_and_gives_the_same_answer) {
  GenerateRequest request = request_of({1, 2, 3}, 1, 30);
  request.ignore_end_tokens = true;
  request.sampler.temperature = 0.0f;
  for (int32_t id = 0; id < Bench().tokenizer->n_vocab(); ++id) {
    if (id != 7) request.sampler.logit_bias[id] = -std::numeric_limits<float>::infinity();
  }
  const Answer expected = alone(request);
  Bench bench;
  const uint64_t id = bench.add(request);
  bench.run();
  EXPECT_EQ(bench.answers[id].ids, expected.ids);
  const EngineStats stats = bench.scheduler->stats();
  EXPECT_EQ(stats.decode_tokens, 29) << "the first one comes with the prompt";
  EXPECT_GT(stats.right_guesses, 10);
  EXPECT_LT(stats.decode_steps, 20);
}

// Ids of a random answer, none of which its own text foretells.
TEST(Scheduler, a_right_prediction_takes_fewer_steps_and_a_wrong_one_changes_nothing) {
  GenerateRequest request = request_of({1, 2, 3}, 5, 40);
  request.ignore_end_tokens = true;
  const auto answer = alone(request).ids;
  ASSERT_EQ(answer.size(), 40u);
  const auto ask = [&](std::vector<int32_t> prediction, int64_t& steps) {
    request.prediction = std::move(prediction);
    Bench bench;
    const uint64_t id = bench.add(request);
    bench.run();
    EXPECT_EQ(bench.answers[id].ids, answer);
    steps = bench.scheduler->stats().decode_steps;
    return bench.answers[id].usage;
  };
  int64_t without = 0, right = 0, edited = 0, wrong = 0;
  EXPECT_EQ(ask({}, without).accepted_prediction_tokens, 0);
  const Usage whole = ask(answer, right);
  EXPECT_EQ(whole.accepted_prediction_tokens, 40);
  EXPECT_EQ(whole.rejected_prediction_tokens, 0);
  EXPECT_LE(right, 4) << "ten guesses a step";
  auto changed = answer;
  changed[20] = (changed[20] + 1) % Bench().tokenizer->n_vocab();
  const Usage most = ask(changed, edited);
  EXPECT_EQ(most.accepted_prediction_tokens, 39);
  EXPECT_EQ(most.rejected_prediction_tokens, 1);
  EXPECT_LT(edited, without / 2);
  const Usage none = ask(std::vector<int32_t>(9, (answer[0] + 1) % 256), wrong);
  EXPECT_EQ(none.accepted_prediction_tokens + none.rejected_prediction_tokens, 9);
  EXPECT_GE(none.rejected_prediction_tokens, 6);
  EXPECT_EQ(wrong, without);
}

TEST(Scheduler, a_prediction_that_no_answer_can_be_is_refused) {
  GenerateRequest request = request_of({1, 2, 3});
  Bench bench;
  request.prediction = {bench.tokenizer->n_vocab()};
  EXPECT_THROW(bench.add(request), Error);
  request.prediction.assign(static_cast<size_t>(kBenchContext) + 1, 1);
  EXPECT_THROW(bench.add(request), Error);
}

TEST(Scheduler, tokens_per_step_is_the_number_that_decode_together) {
  Bench bench({}, {16, 256});
  for (uint64_t i = 0; i < 16; ++i) {
    GenerateRequest request = request_of({5, 6}, i, 20);
    request.ignore_end_tokens = true;
    bench.add(request);
  }
  bench.run();
  const EngineStats stats = bench.scheduler->stats();
  EXPECT_EQ(stats.decode_steps, 19);  // the first token comes of the prompt's step
  EXPECT_EQ(stats.decode_tokens, 16 * 19);
  EXPECT_EQ(stats.step_tokens, 16 * 19 + 32);
}

TEST(Scheduler, a_cache_too_small_for_one_request_alone_ends_that_one_with_an_error) {
  Script script;
  script.n_pages = 3;
  Bench bench(script, {4, 64});
  const uint64_t big = bench.add(request_of(std::vector<int32_t>(30, 1)));
  const uint64_t small = bench.add(request_of({1, 2}, 1, 5));
  bench.run();
  ASSERT_EQ(bench.answers[big].reason, FinishReason::error);
  EXPECT_EQ(bench.answers[big].error->code(), Code::resource_exhausted);
  EXPECT_NE(bench.answers[small].reason, FinishReason::error);
}

TEST(Scheduler, a_failed_step_ends_its_requests_and_the_engine_lives_on) {
  Script script;
  script.failing_steps = {2};
  Bench bench(script, {2, 64});
  const uint64_t a = bench.add(request_of({1}, 1, 20));
  const uint64_t b = bench.add(request_of({2}, 2, 20));
  const uint64_t waits = bench.add(request_of({3}, 3, 20));
  bench.run();
  for (uint64_t id : {a, b}) {
    ASSERT_EQ(bench.answers[id].reason, FinishReason::error);
    EXPECT_EQ(bench.answers[id].error->message(), "scripted failure");
    EXPECT_EQ(bench.answers[id].n_finished, 1);
  }
  EXPECT_NE(bench.answers[waits].reason, FinishReason::error);
  EXPECT_EQ(bench.log->live_sequences, 0u);
}

TEST(Scheduler, broken_logits_end_the_request_with_an_error) {
  Script script;
  script.broken_logits = true;
  Bench bench(script);
  const uint64_t id = bench.add(request_of({1}));
  bench.run();
  ASSERT_EQ(bench.answers[id].reason, FinishReason::error);
  EXPECT_EQ(bench.answers[id].error->code(), Code::internal);
}

TEST(Scheduler, a_sink_that_throws_ends_its_own_request_only) {
  Bench bench;
  int calls = 0;
  bench.add(request_of({1}, 1, 20), [&](const Event&) {
    ++calls;
    throw std::runtime_error("the client is gone");
  });
  const uint64_t other = bench.add(request_of({2}, 2, 20));
  bench.run();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(bench.answers[other].n_finished, 1);
  EXPECT_EQ(bench.log->live_sequences, 0u);
}

TEST(Scheduler, the_cache_is_free_when_the_last_event_comes) {
  Bench bench;
  size_t live_at_the_end = 99;
  bench.add(request_of({1, 2, 3}), [&](const Event& event) {
    if (event.kind == Event::Kind::finished) live_at_the_end = bench.log->live_sequences;
  });
  bench.run();
  EXPECT_EQ(live_at_the_end, 0u);
}

}  // namespace
}  // namespace strata::inference
