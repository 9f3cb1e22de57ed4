// How an answer ends, where its text is cut, and which requests are refused.
#include "inference/generation.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/utf8.h"
#include "inference/testing/scheduler_bench.h"

namespace strata::inference {
namespace {

using testing::Answer;
using testing::Bench;
using testing::ByteTokenizer;
using testing::kBenchContext;
using testing::request_of;

TEST(Generation, limits_end_with_length_and_an_end_token_with_stop) {
  Bench bench;
  GenerateRequest request = request_of({1, 2, 3}, 1, 5);
  request.ignore_end_tokens = true;
  const uint64_t five = bench.add(request);
  request.max_tokens = -1;
  const uint64_t full = bench.add(request);
  request.context_limit = 20;
  const uint64_t limited = bench.add(request);
  GenerateRequest ends = request_of({1});
  ends.sampler.logit_bias[bench.tokenizer->eos()] = 1000.0f;
  const uint64_t ended = bench.add(ends);
  bench.run();
  EXPECT_EQ(bench.answers[five].ids.size(), 5u);
  EXPECT_EQ(bench.answers[five].reason, FinishReason::length);
  EXPECT_EQ(bench.answers[full].ids.size(), size_t{kBenchContext} - 3);
  EXPECT_EQ(bench.answers[limited].ids.size(), 17u);
  EXPECT_EQ(bench.answers[ended].reason, FinishReason::stop);
  EXPECT_TRUE(bench.answers[ended].text.empty());
  EXPECT_TRUE(bench.answers[ended].ids.empty());
  EXPECT_EQ(bench.answers[ended].usage.completion_tokens, 1);
}

TEST(Generation, no_new_tokens_still_score_the_prompt) {
  Bench bench({}, {4, 3});
  GenerateRequest request = request_of({10, 20, 30, 40, 50}, 1, 0);
  request.prompt_logprobs = true;
  request.n_logprobs = 2;
  const uint64_t id = bench.add(request);
  bench.run();
  const Answer& answer = bench.answers[id];
  EXPECT_EQ(answer.reason, FinishReason::length);
  EXPECT_TRUE(answer.text.empty());
  ASSERT_EQ(answer.prompt_tokens.size(), 5u);
  EXPECT_TRUE(std::isnan(answer.prompt_tokens[0].logprob));
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(answer.prompt_tokens[i].id, static_cast<int32_t>(10 * (i + 1)));
    EXPECT_LT(answer.prompt_tokens[i].logprob, 0.0f);
    EXPECT_EQ(answer.prompt_tokens[i].alternatives.size(), 2u);
  }
}

// Forces the answer to spell a text, one token a step.
GenerateRequest spelling(const Bench& bench, const std::vector<std::string>& pieces) {
  GenerateRequest request = request_of({1}, 1, 40);
  request.sampler.temperature = 0.0f;
  // Each piece once: a token that was used is penalised out of the race.
  float bias = 1e6f;
  for (const std::string& piece : pieces) {
    const int32_t id =
        piece.size() == 1 ? static_cast<unsigned char>(piece[0]) : bench.tokenizer->find(piece);
    request.sampler.logit_bias[id] = bias;
    bias -= 1e4f;
  }
  request.sampler.repeat_last_n = -1;
  request.sampler.presence_penalty = 2e6f;
  request.max_tokens = static_cast<int32_t>(pieces.size());
  return request;
}

TEST(Generation, stop_strings_cut_across_tokens_and_take_their_tokens_along) {
  Bench bench;
  GenerateRequest request = spelling(bench, {"a", "the ", "s", "t", "o", "p", "z"});
  request.stop = {"e sto"};
  const uint64_t id = bench.add(request);
  bench.run();
  const Answer& answer = bench.answers[id];
  EXPECT_EQ(answer.text, "ath");
  EXPECT_EQ(answer.reason, FinishReason::stop);
  EXPECT_EQ(answer.stop_string, "e sto");
  EXPECT_EQ(answer.ids, (std::vector<int32_t>{'a', 256}));  // the one that is cut in two stays
  EXPECT_EQ(answer.usage.completion_tokens, 5);
}

TEST(Generation, text_is_always_whole_characters) {
  Bench bench;
  std::vector<std::string> events;
  GenerateRequest request = spelling(bench, {"x", "\xE4\xB8", "\xAD", "y"});
  const uint64_t id = bench.add(request, [&](const Event& event) {
    if (event.kind == Event::Kind::text) events.push_back(event.text);
  });
  bench.run();
  EXPECT_EQ(events, (std::vector<std::string>{"x", "", "中", "y"}));
  EXPECT_EQ(bench.answers[id].ids.size(), 4u);
}

TEST(Generation, an_unfinished_character_and_a_half_stop_string_come_out_at_the_end) {
  Bench bench;
  GenerateRequest request = spelling(bench, {"o", "s", "\xE4\xB8"});
  request.stop = {"stop"};
  const uint64_t id = bench.add(request);
  bench.run();
  EXPECT_EQ(bench.answers[id].text, "os\xEF\xBF\xBD\xEF\xBF\xBD");  // a mark for each byte
  EXPECT_EQ(bench.answers[id].reason, FinishReason::length);
  EXPECT_EQ(bench.answers[id].ids.size(), 3u);
}

TEST(Generation, requests_that_cannot_be_served_are_refused_with_the_counts) {
  const ByteTokenizer tokenizer;
  const auto message = [&](GenerateRequest request) -> std::string {
    try {
      validate(request, tokenizer, tokenizer.n_vocab(), kBenchContext);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::invalid_argument);
      return e.message();
    }
    return "accepted";
  };
  EXPECT_NE(message(request_of({})).find("no tokens"), std::string::npos);
  const std::string too_long = message(request_of(std::vector<int32_t>(64, 1)));
  EXPECT_NE(too_long.find("64 tokens and the context 64"), std::string::npos) << too_long;
  EXPECT_EQ(message(request_of(std::vector<int32_t>(63, 1))), "accepted");
  EXPECT_EQ(message(request_of(std::vector<int32_t>(64, 1), 1, 0)), "accepted");
  EXPECT_NE(message(request_of({258})).find("258"), std::string::npos);
  EXPECT_NE(message(request_of({-1})).find("-1"), std::string::npos);
  EXPECT_NE(message(request_of({1}, 1, -5)).find("max_tokens"), std::string::npos);
  GenerateRequest request = request_of({1});
  request.n_logprobs = 1000;
  EXPECT_NE(message(request).find("1000"), std::string::npos);
  request = request_of({1});
  request.sampler.logit_bias[9999] = 1.0f;
  EXPECT_NE(message(request).find("9999"), std::string::npos);
  request = request_of({1, 2, 3, 4});
  request.context_limit = 4;
  EXPECT_NE(message(request).find("4 positions"), std::string::npos);
}

// A million tokens take longer than a millisecond on any machine.
TEST(Generation, a_limit_of_time_holds_from_the_first_end_of_line_on) {
  constexpr int32_t kTokens = 1'000'000;
  const auto tokenizer = std::make_shared<ByteTokenizer>();
  const auto n_written = [&](char last) {
    GenerateRequest request = request_of({1}, 1, kTokens);
    request.n_logprobs = -1;
    request.sampler.temperature = 0.0f;
    request.most_ms = 1;
    Generation generation(
        1, request, [](Event&&) {}, tokenizer, tokenizer->n_vocab(), 2 * kTokens, nullptr);
    std::vector<float> logits(static_cast<size_t>(tokenizer->n_vocab()), 0.0f);
    logits[static_cast<unsigned char>(last)] = 1.0f;
    int32_t n = 0;
    for (; !generation.ended() && n < 20'000; ++n) generation.take(n, logits);
    while (last == '\n' && !generation.ended()) generation.take(n++, logits);
    const bool ended = generation.ended();
    if (!ended) generation.end(FinishReason::cancelled);
    generation.finish();
    return ended ? n : -1;
  };
  EXPECT_EQ(n_written('x'), -1) << "ended without an end of line";
  const int32_t n = n_written('\n');
  EXPECT_GT(n, 0);
  EXPECT_LT(n, kTokens) << "ended by its length, not by the time";
}

}  // namespace
}  // namespace strata::inference
