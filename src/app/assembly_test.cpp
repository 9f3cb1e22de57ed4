#include "app/assembly.h"

#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "app/in_range.h"
#include "core/net.h"
#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/testing/formula_model.h"

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

TEST(ServerAddress, WhereBrowsersFindIt) {
  EXPECT_EQ(browser_url("http://127.0.0.1:11434"), "http://127.0.0.1:11434");
  EXPECT_EQ(browser_url("[::1]:80"), "http://[::1]:80");
  for (const char* all : {"0.0.0.0:80", "[::]:80"}) {
    const std::string found = browser_url(all);
    EXPECT_EQ(found.find("0.0.0.0"), std::string::npos) << found;
    EXPECT_EQ(found.find("::]"), std::string::npos) << found;
    EXPECT_TRUE(found.starts_with("http://") && found.ends_with(":80")) << found;
  }
  EXPECT_EQ(invitation_link("http://box:1", "invitation-strata-x"),
            "http://box:1/#/link/invitation-strata-x");
  EXPECT_EQ(invitation_link("http://box/", "invitation-strata-x"),
            "http://box/#/link/invitation-strata-x");
}

TEST(ServerAddress, WhatIsNoneIsRefused) {
  for (const char* bad : {"a:b", "box:", "box:99999", "user@box", "box/path", "a b"}) {
    EXPECT_EQ(testing::error_of([&] { parse_host(bad); }).code(), Code::invalid_argument) << bad;
  }
}

TEST(ServerAddress, OfflineReachesThisMachineOnly) {
  Config config = Config::load("strata.yaml", "", [](const std::string&) { return std::nullopt; });
  config.set("offline", "true", "--offline");
  config.set("server.host", "192.0.2.1:1", "--host");
  for (const Error& error : {testing::error_of([&] { connect_backend(config, false); }),
                             testing::error_of([&] { require_server(config); })}) {
    EXPECT_EQ(error.code(), Code::failed_precondition) << error.message();
  }
  EXPECT_EQ(connect_backend(config, true)->name(), "local");
  config.set("server.host", "127.0.0.1:1", "--host");
  EXPECT_EQ(connect_backend(config, false)->name(), "local") << "nobody answers there";
}

// Whoever starts a server is told at once, not by the first request.
TEST(Settings, ANumberOutsideItsRangeIsRefusedWithTheRange) {
  const testing::TempFolder home;
  setenv("STRATA_HOME", home.path().c_str(), 1);
  for (const auto& [key, value, range] :
       {std::tuple{"engine.context", "4294967360", "from 0 to 2147483647"},
        {"engine.context", "-5", "from 0 to 2147483647"},
        {"engine.threads", "4294967297", "from 0 to 1024"},
        {"server.max_parallel", "0", "from 1 to 65536"},
        {"server.max_queue", "-1", "from 0 to 65536"},
        {"server.max_models", "0", "from 1 to 1024"}}) {
    Config config =
        Config::load("strata.yaml", "", [](const std::string&) { return std::nullopt; });
    config.set("server.host", "127.0.0.1:0", "--host");
    config.set(key, value, "--it");
    const Error error = testing::error_of([&] { start_server(config, ServeOptions{}); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_EQ(error.message(),
              fmt::format("{} (flag --it) is {}, it must be {}", key, value, range));
  }
  unsetenv("STRATA_HOME");
}

TEST(Settings, FormatsOfKeysAndValuesThatWeLackAreRefusedWithTheList) {
  const auto load = [](const char* variable, const char* value) {
    return Config::load("strata.yaml", "", [=](const std::string& name) {
      return name == variable ? std::optional<std::string>(value) : std::nullopt;
    });
  };
  EXPECT_EQ(kv_setting(load("", "")), tensor::KvFormat::bf16);
  EXPECT_EQ(kv_setting(load("STRATA_KV", "int8")), tensor::KvFormat::int8);
  EXPECT_EQ(kv_setting(load("OLLAMA_KV_CACHE_TYPE", "q8_0")), tensor::KvFormat::int8);
  EXPECT_EQ(kv_setting(load("OLLAMA_KV_CACHE_TYPE", "q4_0")), tensor::KvFormat::int4);
  EXPECT_EQ(kv_setting(load("OLLAMA_KV_CACHE_TYPE", "f16")), tensor::KvFormat::bf16);
  const Config config = load("OLLAMA_KV_CACHE_TYPE", "q4_1");
  const std::string refusal =
      "engine.kv (environment OLLAMA_KV_CACHE_TYPE) is 'q4_1', it must be bf16, int8 or int4";
  const Error error = testing::error_of([&] { connect_backend(config, true); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_TRUE(error.message().starts_with(refusal)) << error.message();
  const auto problems = setting_problems(config);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], error.message());
}

TEST(Settings, AnOptionOutsideItsRangeIsRefusedWithTheRange) {
  Arguments arguments;
  EXPECT_EQ(option_in_range(arguments, "context", {2}, 512), 512);
  arguments.options_["context"] = {"2"};
  EXPECT_EQ(option_in_range(arguments, "context", {2}, 512), 2);
  for (const char* bad : {"1", "-5", "4294967808"}) {
    arguments.options_["context"] = {bad};
    EXPECT_EQ(testing::error_of([&] { option_in_range(arguments, "context", {2}, 512); }).message(),
              fmt::format("--context is {}, it must be from 2 to 2147483647", bad));
  }
}

// Settings that the server's operator writes down reach the answers that its clients get.
TEST(ServedContext, ASettingBeyondTheTrainedOneIsSaidInTheAnswer) {
  const testing::TempFolder home;
  setenv("STRATA_HOME", home.path().c_str(), 1);
  const auto bytes = models::tiny_llama().build();  // trained on 128 positions
  models::Manifest manifest;
  manifest.name = "tiny:latest";
  {
    const models::Store store;
    const auto held = store.hold();
    manifest.model = {store.put_blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
    store.put_manifest(manifest);
  }
  for (const bool by_file : {true, false}) {
    const auto config = Config::load("strata.yaml", by_file ? "engine:\n  context: 4096\n" : "",
                                     [&](const std::string& name) -> std::optional<std::string> {
                                       if (by_file || name != "OLLAMA_CONTEXT_LENGTH")
                                         return std::nullopt;
                                       return "4096";
                                     });
    ServeOptions options;
    options.port = 0;
    const auto server = start_server(config, options);
    HttpRequest request;
    request.method = "POST";
    request.url = server->address() + "/v1/completions";
    request.body = R"({"model":"tiny","prompt":"t5","max_tokens":1})";
    const auto reply =
        http_request(request, {.offline = false, .allow_private = true, .private_hosts = {}});
    EXPECT_EQ(reply.head.status, 200) << reply.body;
    EXPECT_EQ(reply.head.header("x-strata-notice").value_or("none"),
              "a context of 4096 was asked for, the model was trained on 128");
    server->stop();
  }
  unsetenv("STRATA_HOME");
}

// Three tokens, 20 ms after one another: a clock of whole seconds would tell 0 or 1000.
TEST(ServedTimings, AreMilliseconds) {
  const testing::TempFolder home;
  setenv("STRATA_HOME", home.path().c_str(), 1);
  write_file_atomic(home.path() / "script.json",
                    R"({"models":[{"name":"m","tokens_per_second":50}]})");
  const auto config =
      Config::load("strata.yaml", "", [](const std::string&) { return std::nullopt; });
  ServeOptions options;
  options.port = 0;
  options.script = (home.path() / "script.json").string();
  const auto server = start_server(config, options);
  HttpRequest request;
  request.method = "POST";
  request.url = server->address() + "/completion";
  request.body = R"({"prompt":"a b c","stream":true,"timings_per_token":true})";
  const std::string body =
      http_request(request, {.offline = false, .allow_private = true, .private_hosts = {}}).body;
  server->stop();
  unsetenv("STRATA_HOME");
  const size_t third = body.find(R"("predicted_n":3)");
  const size_t at = body.find(R"("predicted_ms":)", third);
  ASSERT_NE(at, std::string::npos) << body;
  const double ms = std::strtod(body.c_str() + at + 15, nullptr);
  EXPECT_GT(std::fmod(ms, 1000), 0) << body;
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
  EXPECT_EQ(other.find("Authorization"), std::string::npos) << other;
  const std::string keyed = example_call("http://box:1", "smollm2:135m", true);
  EXPECT_NE(keyed.find(R"(-H "Authorization: Bearer $STRATA_API_KEY")"), std::string::npos)
      << keyed;
}

TEST(Settings, EachThatAServerWouldRefuseIsNamed) {
  const auto none = [](const std::string&) { return std::nullopt; };
  EXPECT_TRUE(setting_problems(Config::load("strata.yaml", "", none)).empty());
  const auto problems = setting_problems(Config::load(
      "strata.yaml",
      "server: {max_models: many, host: 'a b', max_queue: -1}\nlog: loud\nmodel: '?'", none));
  ASSERT_EQ(problems.size(), 5u);
  EXPECT_NE(problems[1].find("server.max_models is 'many' (strata.yaml)"), std::string::npos)
      << problems[1];
}

}  // namespace
}  // namespace strata::app
