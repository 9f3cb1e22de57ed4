#include "core/base64.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

std::string encoded(std::string_view text) {
  return base64(std::as_bytes(std::span(text.data(), text.size())));
}

// RFC 4648, section 10.
TEST(Base64, TheVectorsOfItsSpecification) {
  for (const auto& [plain, coded] : {std::pair{"", ""},
                                     {"f", "Zg=="},
                                     {"fo", "Zm8="},
                                     {"foo", "Zm9v"},
                                     {"foob", "Zm9vYg=="},
                                     {"fooba", "Zm9vYmE="},
                                     {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(encoded(plain), coded);
    EXPECT_EQ(from_base64(coded), plain);
  }
}

TEST(Base64, EveryByteComesBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_base64(encoded(all)), all);
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"Z", "Zg=", "Zg", "Zh==", "Zm9=", "=",
                           "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-", "Zm\xc3\xa4"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace strata
