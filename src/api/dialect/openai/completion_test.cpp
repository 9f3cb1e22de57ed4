#include <numeric>

#include <gtest/gtest.h>

#include "api/dialect/openai/openai.h"
#include "api/dialect/openai/testing/ask.h"
#include "api/dialect/openai/testing/refused_field.h"
#include "api/testing/tiny_backend.h"

namespace strata::api::openai {
namespace {

using api::testing::fetch;
using api::testing::Reply;
using api::testing::Running;

json::value ask(const Running& running, const std::string& body) {
  const Reply reply = fetch(running.port(), "POST", "/v1/completions", body);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return parse_json(reply.body);
}

std::string refused_field(const std::string& body) {
  return testing::refused_field([&] { parse_completion(body); });
}

double mean(const json::value& choice) {
  const json::array& all = choice.at("logprobs").at("token_logprobs").as_array();
  const double sum = std::accumulate(
      all.begin(), all.end(), 0.0,
      [](double so_far, const json::value& each) { return so_far + each.to_number<double>(); });
  return sum / static_cast<double>(all.size());
}

TEST(Completions, OfTheBestTheLikeliestComeFirst) {
  const Running running;
  const std::string base =
      R"({"model": "babble", "prompt": ["x", "y"], "seed": 5, "logprobs": 0, "max_tokens": 9, )";
  const auto all = ask(running, base + R"("n": 6})");
  const auto best = ask(running, base + R"("n": 2, "best_of": 6})");
  ASSERT_EQ(best.at("choices").as_array().size(), 4u);
  EXPECT_EQ(best.at("usage"), all.at("usage")) << "all candidates were made";
  for (size_t prompt = 0; prompt < 2; ++prompt) {
    std::vector<double> means;
    for (size_t i = 0; i < 6; ++i) means.push_back(mean(all.at("choices").at(prompt * 6 + i)));
    std::ranges::sort(means, std::greater());
    for (size_t i = 0; i < 2; ++i) {
      const auto& choice = best.at("choices").at(prompt * 2 + i);
      EXPECT_EQ(choice.at("index"), static_cast<int64_t>(prompt * 2 + i));
      EXPECT_DOUBLE_EQ(mean(choice), means[i]);
    }
  }
}

TEST(Completions, RankingNeedsNoLogprobsInTheAnswer) {
  const Running running;
  const std::string base = R"({"model": "babble", "prompt": "x", "seed": 5, "best_of": 6)";
  const auto plain = ask(running, base + "}").at("choices");
  const auto with = ask(running, base + R"(, "logprobs": 0})").at("choices");
  EXPECT_EQ(plain.at(0).at("text"), with.at(0).at("text"));
  EXPECT_TRUE(plain.at(0).at("logprobs").is_null());
  EXPECT_EQ(refused_field(R"({"model": "m", "prompt": "a", "best_of": 2, "n": 3})"), "best_of");
  EXPECT_EQ(refused_field(R"({"model": "m", "prompt": "a", "best_of": 2, "stream": true})"),
            "best_of");
}

TEST(Completions, StreamedPromptsJoinToTheWholeOnes) {
  const Running running;
  const std::string body =
      R"({"model": "echo", "prompt": ["one two", "three", [7, 8]], "echo": true, "logprobs": 1, )"
      R"("stream": )";
  const Reply streamed = fetch(running.port(), "POST", "/v1/completions", body + "true}");
  ASSERT_EQ(streamed.status, 200) << streamed.body;
  std::vector<std::string> texts(3);
  std::vector<json::array> offsets(3);
  for (const json::value& chunk : testing::chunks_of(streamed.body)) {
    const json::value& choice = chunk.at("choices").at(0);
    const auto index = static_cast<size_t>(choice.at("index").as_int64());
    texts.at(index) += std::string(choice.at("text").as_string());
    if (choice.at("logprobs").is_null()) continue;
    for (const auto& each : choice.at("logprobs").at("text_offset").as_array()) {
      offsets.at(index).push_back(each);
    }
  }
  const auto whole = ask(running, body + "false}").at("choices");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(json::string(texts[i]), whole.at(i).at("text").as_string());
    EXPECT_EQ(json::value(offsets[i]), whole.at(i).at("logprobs").at("text_offset"));
  }
  EXPECT_TRUE(texts[0].starts_with("one two"));
}

// OpenAI's promise: up to logprobs + 1 entries.
void expect_told_among_the_likeliest(const json::value& logprobs, size_t n_asked) {
  const json::array& tokens = logprobs.at("tokens").as_array();
  ASSERT_FALSE(tokens.empty());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const json::value& own = logprobs.at("token_logprobs").at(i);
    if (own.is_null()) continue;  // the first of a prompt
    const json::object& top = logprobs.at("top_logprobs").at(i).as_object();
    EXPECT_LE(top.size(), n_asked + 1);
    const json::value* told = top.if_contains(tokens.at(i).as_string());
    ASSERT_NE(told, nullptr) << tokens.at(i);
    EXPECT_EQ(*told, own);
  }
}

TEST(Completions, TheTokenItselfIsToldAmongTheLikeliest) {
  const Running running;
  for (const size_t n : {0u, 1u, 3u}) {
    const std::string body = fmt::format(
        R"({{"model": "babble", "prompt": "x", "seed": 5, "max_tokens": 9, "logprobs": {}}})", n);
    expect_told_among_the_likeliest(ask(running, body).at("choices").at(0).at("logprobs"), n);
  }
}

TEST(Completions, WithoutALimitThereAreMoreThanSixteenTokens) {
  const auto limit = [](const std::string& more) {
    return parse_completion(R"({"model": "m", "prompt": "a")" + more + "}")
        .requests.front()
        .sampling.max_tokens;
  };
  EXPECT_EQ(limit(""), 16);
  EXPECT_EQ(limit(R"(, "max_tokens": -1)"), -1);
  EXPECT_EQ(limit(R"(, "n_predict": -1)"), -1);
  EXPECT_EQ(limit(R"(, "n_predict": 3)"), 3);
  EXPECT_EQ(limit(R"(, "max_tokens": 0)"), 0);
}

TEST(Completions, NProbsIsAnotherWordForLogprobs) {
  const auto parsed = parse_completion(R"({"model": "m", "prompt": "a", "n_probs": 2})");
  EXPECT_TRUE(parsed.logprobs);
  EXPECT_EQ(parsed.requests.front().n_logprobs, 2);
  EXPECT_EQ(refused_field(R"({"model": "m", "prompt": "a", "logprobs": 1, "n_probs": 2})"),
            "n_probs");
}

TEST(Completions, ASuffixIsOfTextOnly) {
  const auto request =
      parse_completion(R"({"model": "m", "prompt": "a", "suffix": "z"})").requests.front();
  EXPECT_EQ(request.suffix, "z");
  EXPECT_EQ(refused_field(R"({"model": "m", "prompt": [1], "suffix": "z"})"), "suffix");
}

// What evaluation harnesses send: prompts as ids, echo, one token more than the prompt. They take
// the last entry away and count the log-probabilities of a continuation from the end.
class Scored : public ::testing::Test {
 protected:
  Scored() { store_.add("tiny"); }

  json::array logprobs_of(const std::string& prompts, const std::string& more = {}) const {
    json::array each;
    const auto answer =
        ask(running_, R"({"model": "tiny", "temperature": 0, "max_tokens": 1, "logprobs": 1, )"
                      R"("echo": true, "seed": 1234, "prompt": )" +
                          prompts + more + "}");
    for (const json::value& choice : answer.at("choices").as_array()) {
      each.push_back(choice.at("logprobs"));
    }
    return each;
  }

  api::testing::TinyStore store_;
  Running running_{api::testing::tiny_backend(store_)};
};

TEST_F(Scored, PromptsOfOneRequestHaveTheLogprobsOfEachAlone) {
  const json::array both = logprobs_of("[[5, 6, 7, 8], [9, 10, 11]]");
  EXPECT_EQ(both.at(0), logprobs_of("[[5, 6, 7, 8]]").at(0));
  EXPECT_EQ(both.at(1), logprobs_of("[9, 10, 11]").at(0));
  const json::array& first = both.at(0).at("token_logprobs").as_array();
  ASSERT_EQ(first.size(), 5u);
  EXPECT_TRUE(first.at(0).is_null()) << "nothing comes before it";
  for (size_t i = 1; i < first.size(); ++i) EXPECT_LT(first.at(i).as_double(), 0);
}

TEST_F(Scored, EveryTokenOfThePromptIsToldAmongItsLikeliest) {
  expect_told_among_the_likeliest(logprobs_of("[[5, 6, 7, 8]]").at(0), 1);
}

// A shorter prompt's entries are a longer one's: each depends on what comes before it only.
TEST_F(Scored, AnEntryDependsOnWhatComesBeforeIt) {
  const json::array longer = logprobs_of("[5, 6, 7, 8]").at(0).at("token_logprobs").as_array();
  const json::array shorter = logprobs_of("[5, 6, 7]").at(0).at("token_logprobs").as_array();
  for (size_t i = 1; i < 3; ++i) EXPECT_EQ(longer.at(i), shorter.at(i));
}

TEST_F(Scored, TheOneTokenMoreIsThereEvenWhereItEndsTheText) {
  const auto ended = logprobs_of("[5, 6, 7, 8]", R"(, "logit_bias": {"2": 100})").at(0);
  EXPECT_EQ(ended.at("token_logprobs").as_array().size(), 5u);
  const auto plain = logprobs_of("[5, 6, 7, 8]").at(0);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(ended.at("token_logprobs").at(i), plain.at("token_logprobs").at(i));
  }
}

}  // namespace
}  // namespace strata::api::openai
