// strata cache list, strata cache rm, and the setting behind them.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/assembly.h"
#include "app/cli/command.h"
#include "core/error.h"
#include "core/json.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "inference/prefix_folder.h"

namespace strata::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CacheCommands : public ::testing::Test {
 protected:
  void put(const std::string& model) const {
    const auto lock = folder_.lock();
    inference::PrefixIndex index{
        .model = model, .identity = "i", .block_bytes = {1000}, .nodes = {}};
    index.nodes.push_back({-1, 0, {1, 2, 3}, {{.there = true}}});
    const std::vector<std::byte> bytes(1000);
    inference::write_prefix_file(folder_.file_of(model), index,
                                 [&](size_t, size_t) { return std::span<const std::byte>(bytes); });
  }
  static std::string output_of(const std::vector<std::string>& words) {
    const auto [command, taken] = find_command(words);
    const auto arguments = parse_arguments(
        command->spec(), {words.begin() + static_cast<std::ptrdiff_t>(taken), words.end()});
    ::testing::internal::CaptureStdout();
    std::optional<Error> failure;
    try {
      command->run(arguments);
    } catch (const Error& error) {
      failure = error;
    }
    std::string out = ::testing::internal::GetCapturedStdout();
    if (failure) throw *failure;
    return out;
  }

  testing::TempFolder home_;
  testing::ScopedEnvironment environment_{"STRATA_HOME", home_.path().c_str()};
  inference::PrefixFolder folder_{models::Store()};
};

TEST_F(CacheCommands, ListForPeopleAndPrograms) {
  put("smol:1");
  EXPECT_THAT(output_of({"cache", "list"}), HasSubstr("smol:1"));
  const auto rows = parse_json(output_of({"cache", "list", "--json"})).at("prefixes").as_array();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].at("model"), "smol:1");
  EXPECT_EQ(rows[0].at("tokens"), 3);
  EXPECT_EQ(rows[0].at("size_bytes").to_number<uint64_t>(),
            fs::file_size(folder_.file_of("smol:1")));
  EXPECT_THAT(std::string(rows[0].at("last_used").as_string()), HasSubstr("T"));
}

TEST_F(CacheCommands, ADamagedFileIsNotListed) {
  put("smol:1");
  write_file_atomic(folder_.file_of("smol:1"), "x");
  EXPECT_THAT(output_of({"cache", "list", "--json"}), HasSubstr("[]"));
}

TEST_F(CacheCommands, RemovesOneOrAll) {
  for (const char* model : {"a:latest", "b:1", "c:1"}) put(model);
  output_of({"cache", "rm", "a"});
  EXPECT_FALSE(fs::exists(folder_.file_of("a:latest")));
  EXPECT_EQ(folder_.list().size(), 2u);
  const Error again = testing::error_of([] { output_of({"cache", "rm", "a"}); });
  EXPECT_EQ(again.code(), Code::not_found);
  EXPECT_THAT(again.message(), HasSubstr("a:latest"));
  output_of({"cache", "rm", "--all"});
  EXPECT_THAT(folder_.list(), ElementsAre());
}

TEST_F(CacheCommands, RemovingSaysWhatOrAllOfIt) {
  put("a:latest");
  for (const auto& words :
       {std::vector<std::string>{"cache", "rm"}, {"cache", "rm", "--all", "a"}}) {
    EXPECT_EQ(testing::error_of([&] { output_of(words); }).code(), Code::invalid_argument);
  }
  EXPECT_EQ(folder_.list().size(), 1u);
}

TEST_F(CacheCommands, ASizeThatIsNoneIsAProblemOfTheSettings) {
  Config config = Config::load("strata.yaml", "cache:\n  disk: plenty\n",
                               [](const std::string&) { return std::nullopt; });
  EXPECT_THAT(setting_problems(config), ElementsAre(HasSubstr("'plenty'")));
  config.set("cache.disk", "4GB", "--set");
  EXPECT_THAT(setting_problems(config), ElementsAre());
}

}  // namespace
}  // namespace strata::app
