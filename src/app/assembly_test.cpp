#include "app/assembly.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata::app {
namespace {

std::string address_of_client(const std::string& host) {
  Config config = Config::load("strata.yaml", "", [](const std::string&) { return std::nullopt; });
  config.set("server.host", host, "--host");
  return server_host(config);
}

TEST(ServerAddress, WhereClientsFindIt) {
  for (const auto& [host, found] : {std::pair{"127.0.0.1:11434", "127.0.0.1:11434"},
                                    {"0.0.0.0", "127.0.0.1:11434"},
                                    {"0.0.0.0:80", "127.0.0.1:80"},
                                    {":8080", "127.0.0.1:8080"},
                                    {"http://box:1234/", "box:1234"},
                                    {"localhost", "localhost:11434"},
                                    {"::1", "[::1]:11434"},
                                    {"::", "[::1]:11434"},
                                    {"fe80::1:2", "[fe80::1:2]:11434"},
                                    {"[::]:90", "[::1]:90"}}) {
    EXPECT_EQ(address_of_client(host), found) << host;
  }
}

TEST(ServerAddress, WhatIsNoneIsRefused) {
  for (const char* bad : {"a:b", "box:", "box:99999", "user@box", "box/path", "a b"}) {
    EXPECT_EQ(testing::error_of([&] { parse_host(bad); }).code(), Code::invalid_argument) << bad;
  }
}

TEST(ExampleCall, ABaseModelIsGivenAPromptTheOthersAMessage) {
  const std::string base = example_call("http://box:1", "gemma3:270m");
  EXPECT_NE(base.find("http://box:1/v1/completions"), std::string::npos) << base;
  EXPECT_NE(base.find(R"("prompt":)"), std::string::npos) << base;
  const std::string other = example_call("http://box:1", "smollm2:135m");
  EXPECT_NE(other.find("http://box:1/v1/chat/completions"), std::string::npos) << other;
  EXPECT_NE(other.find(R"("messages":)"), std::string::npos) << other;
  EXPECT_EQ(other.find("/v1/completions"), std::string::npos) << other;
  EXPECT_NO_THROW(example_call("http://box:1", "no name at all"));
}

}  // namespace
}  // namespace strata::app
