#include "api/access/guard.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::api {
namespace {

using Names = std::vector<std::string>;

TEST(Origins, AreSeparatedByCommasAndSpaces) {
  const Origins origins = read_origins(" https://a.example ,http://b.example:81,, *");
  EXPECT_EQ(origins.allowed, (Names{"https://a.example", "http://b.example:81", "*"}));
  EXPECT_TRUE(origins.local_pages);
  EXPECT_TRUE(read_origins("").allowed.empty());
}

TEST(Origins, SelfLetsNoOtherPageOfThisMachineHoweverItIsWritten) {
  for (const char* text : {"self", " self", "Self", "https://a.example, self", "self,*"}) {
    const Origins origins = read_origins(text);
    EXPECT_FALSE(origins.local_pages) << text;
    EXPECT_LE(origins.allowed.size(), 1u) << text;
  }
}

TEST(Origins, WhatNoBrowserSendsIsRefused) {
  for (const char* text :
       {"chat.example", "https://", "://a.example", "https://a.example/", "https://a.example/app",
        "https://a b.example", "https://u@a.example", "https://*.a.*", "self https://a.example"}) {
    EXPECT_THROW(read_origins(text), Error) << text;
  }
}

TEST(Origins, AStarStandsForAnythingThere) {
  const auto allowed = [](const char* entry, const char* origin) {
    Request request;
    request.path = "/v1/models";
    request.headers.add("host", "localhost:11434");
    request.headers.add("origin", origin);
    GuardOptions options;
    options.allowed_origins = read_origins(entry).allowed;
    return !cors_origin(request, options).empty();
  };
  EXPECT_TRUE(allowed("http://192.168.1.5:*", "http://192.168.1.5:3000"));
  EXPECT_FALSE(allowed("http://192.168.1.5:*", "http://192.168.1.50:3000"));
  EXPECT_TRUE(allowed("chrome-extension://*", "chrome-extension://abcdef"));
  EXPECT_TRUE(allowed("https://*.example.org", "https://chat.example.org"));
  EXPECT_FALSE(allowed("https://*.example.org", "https://example.org"));
  EXPECT_FALSE(allowed("https://*.example.org", "https://chat.example.org.evil.com"));
  EXPECT_TRUE(allowed("https://chat.example.org", "https://CHAT.example.org"));
  EXPECT_FALSE(allowed("https://chat.example.org", "https://chat.example.org:8443"));
  EXPECT_TRUE(allowed("*", "https://anything.example"));
}

}  // namespace
}  // namespace strata::api
