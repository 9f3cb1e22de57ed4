#include "core/byte_size.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata {
namespace {

using testing::error_of;

TEST(ByteSize, the_forms_that_people_write) {
  for (const auto& [text, bytes] : {std::pair<const char*, int64_t>{"0", 0},
                                    {"4096", 4096},
                                    {"12B", 12},
                                    {"64kB", 64'000},
                                    {"512MB", 512'000'000},
                                    {"4GB", 4'000'000'000},
                                    {"4gb", 4'000'000'000},
                                    {"1.5 GB", 1'500'000'000},
                                    {"2TB", 2'000'000'000'000},
                                    {"1KiB", 1024},
                                    {"4GiB", 4'294'967'296}}) {
    EXPECT_EQ(parse_bytes(text), bytes) << text;
  }
}

TEST(ByteSize, anything_else_is_refused_and_named) {
  for (const char* bad : {"", "-1", "GB", "4G B", "4  GB", "1e9", "nan", "inf", "4GBx", "1.2.3GB",
                          ".", "0x10", "9999999999TB", "4GB\xff", "much"}) {
    EXPECT_EQ(error_of([&] { parse_bytes(bad); }).code(), Code::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace strata
