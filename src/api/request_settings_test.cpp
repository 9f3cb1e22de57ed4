#include "api/request_settings.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::api {
namespace {

// A value that no parameter's default is, and another one.
std::pair<std::string, std::string> values_of(const models::ParameterRule& rule) {
  if (!rule.words.empty()) {
    return {std::string(rule.words.front()), std::string(rule.words.back())};
  }
  if (rule.name == "mirostat") return {"2", "0"};
  if (rule.kind == models::ParameterKind::integer) return {"3", "4"};
  if (rule.kind == models::ParameterKind::number) {
    return rule.number_low >= 1 ? std::pair{"1.5", "2.5"} : std::pair{"0.25", "0.75"};
  }
  return {"x", "y"};
}

TEST(RequestSettings, EveryParameterHoldsWhereARequestIsSilentAndNowhereElse) {
  size_t n_seen = 0;
  for (const auto& rule : models::parameter_rules()) {
    if (rule.use != models::ParameterUse::honoured) continue;
    ++n_seen;
    const std::string name(rule.name);
    const auto [kept, other] = values_of(rule);
    const RequestSettings settings = read_settings({{name, kept}});
    const std::vector<std::pair<std::string, std::string>> expected{{name, kept}};
    EXPECT_EQ(set_parameters(settings), expected);
    const auto after = [&](const RequestSettings& said) {
      ChatRequest request;
      request.sampling = said.sampling;
      request.context = said.context;
      request.context_policy = said.context_policy;
      apply_where_silent(settings, request);
      return set_parameters({request.sampling, request.context, request.context_policy});
    };
    EXPECT_EQ(after({}), expected) << name;
    const RequestSettings own = read_settings({{name, other}});
    EXPECT_EQ(after(own), set_parameters(own)) << name << " of the request is stronger";
  }
  EXPECT_GT(n_seen, 20u);
}

TEST(RequestSettings, WhatIsNoneOrHasNoEffectIsRefused) {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"temprature", "1"}, {"temperature", "hot"}, {"num_gpu", "1"}, {"keep_alive", "5m"}}) {
    EXPECT_THROW(read_settings({{name, value}}), Error) << name;
  }
  EXPECT_EQ(read_settings({{"stop", "a"}, {"stop", "b"}}).sampling.stop,
            (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace strata::api
