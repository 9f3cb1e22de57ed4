#include "core/yaml.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata {
namespace {

using testing::error_of;

std::string as_json(std::string_view yaml) {
  return to_json(parse_yaml(yaml));
}

TEST(Yaml, scalars_have_their_types) {
  EXPECT_EQ(as_json("a: 1\nb: 1.5\nc: true\nd: ~\ne: text\nf: '12'\ng: \"true\"\nh: 007x\n"),
            R"({"a":1,"b":1.5,"c":true,"d":null,"e":"text","f":"12","g":"true","h":"007x"})");
  EXPECT_EQ(as_json("[no, yes, inf, nan, -3, +4, 1e3]"), R"(["no","yes","inf","nan",-3,4,1000.0])");
}

TEST(Yaml, nesting_blocks_and_aliases) {
  EXPECT_EQ(as_json("a: &x [1, {b: c}]\nd: *x\n"), R"({"a":[1,{"b":"c"}],"d":[1,{"b":"c"}]})");
  EXPECT_EQ(as_json("t: |\n  one\n  two\n"), R"({"t":"one\ntwo\n"})");
  EXPECT_EQ(as_json(""), "null");
}

TEST(Yaml, aliases_that_multiply_are_stopped) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k > 0 ? ", " : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(error_of([&] { parse_yaml(bomb); }).code(), Code::invalid_argument);
}

TEST(Yaml, depth_is_limited_in_every_notation) {
  std::string indented;
  for (int i = 0; i < 2000; ++i) indented += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  for (const std::string& text :
       {std::string(100'000, '['), std::string(40, '[') + std::string(40, ']'), indented,
        std::string(100'000, '-'), "a: " + std::string(100'000, '{')}) {
    try {
      const json::value value = parse_yaml(text);
      EXPECT_TRUE(value.is_string()) << text.substr(0, 20);  // dashes alone are a text
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid_argument);
    }
  }
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  EXPECT_EQ(error_of([&] { parse_yaml(dashes); }).code(), Code::invalid_argument);
}

TEST(Yaml, errors_name_the_place) {
  const Error error = error_of([] { parse_yaml("a: 1\nb: [1, 2\nc: 3\n"); });
  EXPECT_NE(error.message().find("line "), std::string::npos) << error.message();
  EXPECT_NE(error_of([] { parse_yaml("a: 1\na: 2\n"); }).message().find("'a' stands twice"),
            std::string::npos);
  EXPECT_EQ(error_of([] { parse_yaml("a: 1\n---\nb: 2\n"); }).code(), Code::invalid_argument);
  EXPECT_EQ(error_of([] { parse_yaml("a: !!python/object x\n"); }).code(), Code::invalid_argument);
  EXPECT_EQ(error_of([] { parse_yaml("[a]: 1\n"); }).code(), Code::invalid_argument);
  EXPECT_EQ(error_of([] { parse_yaml("a: *nowhere\n"); }).code(), Code::invalid_argument);
}

}  // namespace
}  // namespace strata
