#include "core/config.h"

#include <array>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata {
namespace {

Config load(const std::string& yaml, std::map<std::string, std::string> variables = {}) {
  return Config::load("strata.yaml", yaml, [variables](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::optional<std::string>() : found->second;
  });
}

TEST(Config, FlagsOverEnvironmentOverFileOverDefault) {
  const std::string yaml = "server:\n  host: 127.0.0.1:1\nengine.threads: 3\n";
  EXPECT_EQ(load("").text("server.host"), "127.0.0.1:11434");
  EXPECT_EQ(load(yaml).text("server.host"), "127.0.0.1:1");
  EXPECT_EQ(load(yaml).integer("engine.threads"), 3);
  auto config = load(yaml, {{"OLLAMA_HOST", "127.0.0.1:2"}});
  EXPECT_EQ(config.text("server.host"), "127.0.0.1:2");
  EXPECT_EQ(config.origin("server.host"), "environment OLLAMA_HOST");
  config.set("server.host", "127.0.0.1:3", "--host");
  EXPECT_EQ(config.text("server.host"), "127.0.0.1:3");
  EXPECT_EQ(config.origin("server.host"), "flag --host");
  EXPECT_EQ(config.origin("engine.threads"), "strata.yaml");
}

TEST(Config, OurVariableWinsOverOllamas) {
  const auto config = load("", {{"OLLAMA_HOST", "a:1"}, {"STRATA_HOST", "b:2"}});
  EXPECT_EQ(config.text("server.host"), "b:2");
}

TEST(Config, UnknownKeysAndBadValuesAreErrors) {
  EXPECT_THROW(load("server.hots: x"), Error);
  EXPECT_THROW(load("server.host: [1]"), Error);
  EXPECT_THROW(load("- 1"), Error);
  EXPECT_THROW(load("engine.threads: many").integer("engine.threads"), Error);
  EXPECT_THROW(load("offline: perhaps").boolean("offline"), Error);
}

TEST(Config, NamesOllamaVariablesThatItIgnores) {
  const std::array<const char*, 4> variables{"OLLAMA_HOST=x", "OLLAMA_VULKAN=1", "PATH=/bin",
                                             "OLLAMA_MODELS=/m"};
  EXPECT_EQ(ignored_ollama_variables(variables), std::vector<std::string>{"OLLAMA_VULKAN"});
}

}  // namespace
}  // namespace strata
