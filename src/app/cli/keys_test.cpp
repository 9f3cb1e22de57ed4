#include "app/cli/keys.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "app/cli/command.h"
#include "core/error.h"
#include "core/os.h"

namespace strata::app {
namespace {

// A home of its own for each test, so that nobody's keys are touched.
class KeyCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = fs::path(::testing::TempDir()) / ("keys-" + std::to_string(monotonic_ns()));
    setenv("STRATA_HOME", home_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("STRATA_HOME");
    fs::remove_all(home_);
  }

  // stdout of the command.
  static std::string output_of(const std::vector<std::string>& words) {
    const auto [command, taken] = find_command(words);
    const auto arguments = parse_arguments(
        command->spec(), {words.begin() + static_cast<std::ptrdiff_t>(taken), words.end()});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    std::optional<Error> failure;
    try {
      command->run(arguments);
    } catch (const Error& error) {
      failure = error;
    }
    ::testing::internal::GetCapturedStderr();
    std::string out = ::testing::internal::GetCapturedStdout();
    if (failure) throw *failure;
    return out;
  }
  static json::object json_of(const std::vector<std::string>& words) {
    return parse_json(output_of(words)).get_object();
  }

  fs::path home_;
};

TEST_F(KeyCommands, TheSecretIsPrintedOnceAndOpensWhatItsScopesSay) {
  std::string secret = output_of({"key", "create", "laptop"});
  ASSERT_TRUE(secret.starts_with(api::kKeyPrefix));
  ASSERT_EQ(secret.back(), '\n');
  secret.pop_back();
  const auto principal = open_keys().check(secret, unix_seconds());
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(principal->scopes, std::vector<api::Scope>{api::Scope::inference});
  EXPECT_EQ(output_of({"key", "list"}).find(secret), std::string::npos);
  EXPECT_EQ(output_of({"key", "list", "--all", "--json"}).find(secret), std::string::npos);
  EXPECT_EQ(read_file(home_ / "strata.db").find(secret), std::string::npos);
}

TEST_F(KeyCommands, ARevokedKeyOpensNothingAndLeavesTheList) {
  const auto key = json_of({"key", "create", "ci", "--scopes", "inference,models", "--json"});
  const std::string secret(key.at("key").get_string());
  output_of({"key", "revoke", "ci"});
  EXPECT_FALSE(open_keys().check(secret, unix_seconds()).has_value());
  EXPECT_TRUE(json_of({"key", "list", "--json"}).at("keys").get_array().empty());
  const auto all = json_of({"key", "list", "--all", "--json"}).at("keys").get_array();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].get_object().at("state"), "revoked");
}

TEST_F(KeyCommands, ExpiryIsATimeFromNow) {
  const int64_t before = unix_seconds();
  const auto key = json_of({"key", "create", "guest", "--expires", "1h", "--json"});
  EXPECT_TRUE(key.at("expires").is_string());
  const std::string secret(key.at("key").get_string());
  auto keys = open_keys();
  EXPECT_TRUE(keys.check(secret, before + 3599).has_value());
  EXPECT_FALSE(keys.check(secret, unix_seconds() + 3601).has_value());
  EXPECT_TRUE(
      json_of({"key", "create", "k", "--expires", "never", "--json"}).at("expires").is_null());
}

TEST_F(KeyCommands, AKeyCarriesASystemTextAndSettings) {
  write_file_atomic(home_ / "house.txt", "Be kind.");
  const auto key =
      json_of({"key", "create", "kiosk", "--system", "@" + (home_ / "house.txt").string(), "--set",
               "temperature=0.2", "--set", "stop=a", "--set", "stop=b", "--model", "smollm2:135m",
               "--max-tokens", "64", "--json"});
  EXPECT_EQ(key.at("system"), "Be kind.");
  EXPECT_EQ(to_json(key.at("settings")), R"({"stop":["a","b"],"temperature":["0.2"]})");
  EXPECT_EQ(key.at("max_tokens"), 64);
  EXPECT_THROW(output_of({"key", "create", "k", "--set", "temperature"}), Error);
  EXPECT_THROW(output_of({"key", "create", "k", "--set", "temperature=hot"}), Error);
  EXPECT_THROW(output_of({"key", "create", "k", "--max-tokens", "0"}), Error);
  EXPECT_THROW(output_of({"key", "create", "k", "--system", "@nowhere"}), Error);
}

TEST_F(KeyCommands, MistakesAreRefused) {
  EXPECT_THROW(output_of({"key", "create", "k", "--scopes", "everything"}), Error);
  EXPECT_THROW(output_of({"key", "create", "k", "--expires", "0s"}), Error);
  EXPECT_THROW(output_of({"key", "create", "k", "--expires", "-1"}), Error);
  EXPECT_THROW(output_of({"key", "create", ""}), Error);
  EXPECT_THROW(output_of({"key", "revoke", "nobody"}), Error);
}

TEST_F(KeyCommands, ALinkMakesItsKeyOnce) {
  const auto told = json_of({"key", "link", "anna", "--scopes", "inference,models", "--json"});
  const std::string link(told.at("link").as_string());
  ASSERT_TRUE(link.starts_with("http://127.0.0.1:11434/#/link/invitation-strata-")) << link;
  const std::string code = link.substr(link.rfind('/') + 1);
  const auto accepted = open_keys().accept(code, unix_seconds());
  EXPECT_EQ(accepted.key.info.name, "anna");
  EXPECT_EQ(accepted.key.info.scopes, (std::vector{api::Scope::inference, api::Scope::models}));
  EXPECT_TRUE(open_keys().check(accepted.key.secret, unix_seconds()));
  EXPECT_THROW(open_keys().accept(code, unix_seconds()), Error);
}

TEST_F(KeyCommands, ALinkIsNarrowUnlessMoreIsAskedFor) {
  const std::string link = output_of({"key", "link", "anna"});
  const std::string code = link.substr(link.rfind('/') + 1, link.size() - link.rfind('/') - 2);
  EXPECT_EQ(open_keys().accept(code, unix_seconds()).key.info.scopes,
            std::vector{api::Scope::inference});
}

TEST_F(KeyCommands, ALinkHasTheAddressThatIsGivenOrTheServersOwn) {
  open_keys().set_address("http://192.168.1.5:8080");
  EXPECT_TRUE(output_of({"key", "link", "anna"}).starts_with("http://192.168.1.5:8080/#/link/"));
  const std::string link =
      output_of({"key", "link", "anna", "--address", "https://ai.example.org"});
  EXPECT_TRUE(link.starts_with("https://ai.example.org/#/link/invitation-strata-")) << link;
  for (const char* bad :
       {"javascript:alert(1)", "ai.example.org", "https://x/sub", "http://x/?a=b"}) {
    EXPECT_THROW(output_of({"key", "link", "anna", "--address", bad}), Error) << bad;
  }
  EXPECT_THROW(output_of({"key", "link", "anna", "--scopes", "all"}), Error);
  EXPECT_THROW(output_of({"key", "link"}), Error);
}

TEST_F(KeyCommands, LinksAreEndedTogether) {
  output_of({"key", "link", "anna"});
  EXPECT_EQ(json_of({"key", "unlink", "--json"}).at("ended"), 1);
  EXPECT_EQ(json_of({"key", "unlink", "--json"}).at("ended"), 0);
}

}  // namespace
}  // namespace strata::app
