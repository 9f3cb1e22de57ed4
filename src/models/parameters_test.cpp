#include "models/parameters.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata::models {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

std::string refusal(const Parameters& parameters) {
  try {
    read_parameters(parameters);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid_argument);
    return error.message() + " / " + error.hint();
  }
  return "accepted";
}

TEST(Parameters, names_are_sorted_and_once) {
  const auto rules = parameter_rules();
  EXPECT_TRUE(std::ranges::is_sorted(rules, {}, &ParameterRule::name));
  EXPECT_EQ(std::ranges::adjacent_find(rules, {}, &ParameterRule::name), rules.end());
}

TEST(Parameters, a_range_ends_where_its_words_say) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> good{
      {"temperature", {"-1", "0", "0.7", "1e3"}},
      {"top_k", {"-1", "0", "40"}},
      {"top_p", {"0", "1", "0.5"}},
      {"min_p", {"0", "1"}},
      {"repeat_last_n", {"-1", "0"}},
      {"repeat_penalty", {"0.001", "1.1"}},
      {"dry_base", {"1"}},
      {"dry_sequence_breaker", {"x", std::string(40, 'x')}},
      {"mirostat", {"0", "2"}},
      {"mirostat_tau", {"0.001", "1000"}},
      {"mirostat_eta", {"0.001", "1000"}},
      {"num_ctx", {"1", "2147483647"}},
      {"num_predict", {"-2", "0"}},
      {"seed", {"-1", "0", "-9223372036854775808", "9223372036854775807"}},
      {"stop", {"x", std::string(1024, 'x')}},
      {"num_gpu", {"99", "all"}}};
  const std::vector<std::pair<std::string, std::vector<std::string>>> bad{
      {"temperature", {"", " 1", "1 ", "0x10", "1e99", "nan", "inf", "1,5", "hot"}},
      {"top_k", {"1.5", "99999999999", "-99999999999"}},
      {"top_p", {"7", "1.01", "-0.01"}},
      {"min_p", {"1.01"}},
      {"repeat_last_n", {"-2"}},
      {"repeat_penalty", {"0", "-1", "1e-50"}},
      {"dry_base", {"0.99"}},
      {"dry_sequence_breaker", {"", std::string(41, 'x')}},
      {"mirostat", {"1", "3", "-2"}},
      {"mirostat_tau", {"0", "1000.1"}},
      {"mirostat_eta", {"0", "1000.1"}},
      {"num_ctx", {"0", "2147483648"}},
      {"num_predict", {"-3"}},
      {"seed", {"-9223372036854775809", "9223372036854775808"}},
      {"stop", {"", "\xff", std::string(1025, 'x')}},
      {"num_gpu", {""}}};
  for (const auto& [name, values] : good) {
    for (const auto& value : values) EXPECT_EQ(refusal({{name, value}}), "accepted") << name;
  }
  for (const auto& [name, values] : bad) {
    for (const auto& value : values) {
      EXPECT_THAT(refusal({{name, value}}), HasSubstr("parameter " + name)) << value;
    }
  }
}

TEST(Parameters, what_is_not_taken_names_the_way_out) {
  EXPECT_THAT(refusal({{"temprature", "1"}}), HasSubstr("did you mean 'temperature'"));
  const std::string unknown = refusal({{"zzz", "1"}});
  EXPECT_THAT(unknown, HasSubstr("temperature"));
  EXPECT_THAT(unknown, ::testing::Not(HasSubstr("num_gpu"))) << "nobody needs an ignored one";
  EXPECT_THAT(refusal({{"keep_alive", "5m"}}), HasSubstr("configuration"));
}

TEST(Parameters, a_list_is_for_those_that_may_stand_often) {
  Parameters parameters{{"top_p", "0.5"}, {"top_p", "0.6"}};
  EXPECT_THAT(refusal(parameters), HasSubstr("top_p is given 2 times, the limit is 1"));
  parameters.clear();
  for (size_t i = 0; i < kMaxStopTexts; ++i) parameters.emplace("stop", "x");
  EXPECT_EQ(refusal(parameters), "accepted");
  parameters.emplace("stop", "x");
  EXPECT_THAT(refusal(parameters), HasSubstr("stop is given 65 times"));
}

TEST(Parameters, ignored_ones_are_named) {
  EXPECT_THAT(ignored_parameters({{"num_gpu", "1"}, {"top_p", "1"}, {"use_mmap", "true"}}),
              ::testing::ElementsAre("num_gpu", "use_mmap"));
}

}  // namespace
}  // namespace strata::models
