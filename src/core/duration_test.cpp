#include "core/duration.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata {
namespace {

using testing::error_of;

TEST(Duration, the_forms_that_ollama_takes) {
  for (const auto& [text, ms] : {std::pair<const char*, int64_t>{"5m", 300'000},
                                 {"1h30m", 5'400'000},
                                 {"1h0m0.5s", 3'600'500},
                                 {"250ms", 250},
                                 {"2000us", 2},
                                 {"2000µs", 2},
                                 {"3000000ns", 3},
                                 {".5h", 1'800'000},
                                 {"300", 300'000},
                                 {"1.5", 1500},
                                 {"30d", 2'592'000'000},
                                 {"0", 0},
                                 {"-0", 0},
                                 {"0s", 0},
                                 {"-1", kForEver},
                                 {"-1m", kForEver},
                                 {"-1h30m", kForEver},
                                 {"9999999999999h", kForEver}}) {
    EXPECT_EQ(parse_duration_ms(text), ms) << text;
  }
}

TEST(Duration, anything_else_is_refused_and_named) {
  for (const char* bad : {"", "-", "--1", "m", "5x", "5 m", "nan", "inf", "1e3", "1e30h", "5m-",
                          "5m30", "5mm", "1.2.3", ".", "0x10", "5m\xff", "soon"}) {
    EXPECT_EQ(error_of([&] { parse_duration_ms(bad); }).code(), Code::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace strata
