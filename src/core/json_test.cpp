#include "core/json.h"

#include <cstdlib>
#include <string>

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

TEST(Json, NumbersAreTheNearestDoubles) {
  for (const char* text :
       {"3e+25", "0.12345678901234568", "1.7976931348623157e+308", "9.87654321e-300", "-0.0",
        "123456789012345680000.5e-5", "5e-324", "8.988465674311579e+307"}) {
    EXPECT_EQ(parse_json(text).to_number<double>(), std::strtod(text, nullptr)) << text;
  }
  EXPECT_EQ(parse_json("18446744073709551615").get_uint64(), UINT64_MAX);
  EXPECT_EQ(parse_json("-9223372036854775808").get_int64(), INT64_MIN);
  EXPECT_EQ(parse_json("123456789012345678901234567890").get_double(),
            123456789012345678901234567890.0);
  EXPECT_EQ(parse_json("[1e-400, 7, \"7\"]"), json::value({0.0, 7, "7"}));
  EXPECT_EQ(parse_json(R"({"a\u0062c": 1, "abc": 2})"), json::value({{"abc", 2}}));
}

TEST(Json, RefusesNumbersBeyondADouble) {
  for (const char* text : {"1e400", "-1e309", "[2, 1e99999999999]"}) {
    EXPECT_THROW(parse_json(text), Error) << text;
  }
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
