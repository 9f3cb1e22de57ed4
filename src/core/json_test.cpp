#include "core/json.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata {
namespace {

TEST(Json, NumbersReadAsPythonPrintsThem) {
  EXPECT_EQ(json_number(0.7), "0.7");
  EXPECT_EQ(json_number(2), "2.0");
  EXPECT_EQ(json_number(1e-5), "1e-05");
  EXPECT_EQ(json_number(1e16), "1e+16");
  EXPECT_EQ(json_number(123456789.5), "123456789.5");
  EXPECT_EQ(json_number(-0.0001), "-0.0001");
}

TEST(Json, StylesOfWriting) {
  const auto value = parse_json(R"({"a":[1,2.5,"x"],"b":{},"c":"é"})");
  EXPECT_EQ(to_json(value), R"({"a":[1,2.5,"x"],"b":{},"c":"é"})");
  EXPECT_EQ(to_json(value, {.space_after_separators = true}),
            R"({"a": [1, 2.5, "x"], "b": {}, "c": "é"})");
  EXPECT_EQ(to_json(value, {.ascii_only = true}),
            "{\"a\":[1,2.5,\"x\"],\"b\":{},\"c\":\"\\u00e9\"}");
  EXPECT_EQ(to_json(parse_json("[1,[]]"), {.indent = 2}), "[\n  1,\n  []\n]");
}

TEST(Json, RefusesWhatIsNotJsonAndSaysWhere) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "nul", "\"\xFF\"", "[01]"}) {
    EXPECT_THROW(parse_json(text), Error) << text;
  }
  EXPECT_THROW(parse_json(std::string(100, '[')), Error);
  EXPECT_THROW(parse_json("[1]", {.max_bytes = 2}), Error);
}

}  // namespace
}  // namespace strata
