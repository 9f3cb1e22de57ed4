#include "app/cli/command.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::app {
namespace {

const CommandSpec& example() {
  static const CommandSpec spec{
      .name = "example",
      .summary = "for tests",
      .arguments = {{"MODEL", ""}, {"PROMPT", "", false, true}},
      .options = {{"seed", "N", "", 's'}, {"verbose", "", "", 'v'}, {"stop", "TEXT", "", 0, true}}};
  return spec;
}

std::string error_of(const std::vector<std::string>& words) {
  try {
    parse_arguments(example(), words);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Arguments, OptionsMayStandAnywhereInEveryForm) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"m", "--seed", "7", "hello", "world", "-v"},
                                             {"--seed=7", "--verbose", "m", "hello", "world"},
                                             {"m", "-s7", "-v", "--", "hello", "world"}}) {
    const auto arguments = parse_arguments(example(), words);
    EXPECT_EQ(arguments.words(), (std::vector<std::string>{"m", "hello", "world"}));
    EXPECT_EQ(arguments.integer("seed"), 7);
    EXPECT_TRUE(arguments.has("verbose"));
  }
}

TEST(Arguments, NegativeNumbersAndDashesAreWords) {
  const auto arguments = parse_arguments(example(), {"m", "-5", "-", "--", "--seed"});
  EXPECT_EQ(arguments.words(), (std::vector<std::string>{"m", "-5", "-", "--seed"}));
}

TEST(Arguments, RepeatedOptionsKeepTheirOrder) {
  const auto arguments = parse_arguments(example(), {"m", "--stop", "a", "--stop=b"});
  EXPECT_EQ(arguments.values("stop"), (std::vector<std::string>{"a", "b"}));
}

TEST(Arguments, MistakesNameTheWayOut) {
  EXPECT_NE(error_of({"m", "--sede", "1"}).find("did you mean '--seed'"), std::string::npos);
  EXPECT_NE(error_of({}).find("needs MODEL"), std::string::npos);
  EXPECT_NE(error_of({"m", "--seed"}).find("needs a value"), std::string::npos);
  EXPECT_NE(error_of({"m", "--verbose=1"}).find("takes no value"), std::string::npos);
  EXPECT_NE(error_of({"m", "--seed", "1", "--seed", "2"}).find("given twice"), std::string::npos);
  EXPECT_THROW(parse_arguments(example(), {"m", "--seed", "1x"}).integer("seed"), Error);
}

TEST(Commands, AreFoundByNameAliasAndTwoWords) {
  EXPECT_EQ(find_command({"list"}).first, find_command({"ls"}).first);
  EXPECT_EQ(find_command({"config", "show"}).second, 2u);
  EXPECT_THROW(find_command({"config"}), Error);
  try {
    find_command({"key", "crate"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("'key create'"), std::string::npos) << error.hint();
  }
  try {
    find_command({"pul"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("pull"), std::string::npos);
  }
}

}  // namespace
}  // namespace strata::app
