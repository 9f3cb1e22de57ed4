#include "api/access/keys.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

constexpr int64_t kNow = 1'700'000'000;

TEST(Keys, WorkUntilTheyExpireOrAreRevoked) {
  KeyStore keys(":memory:");
  const auto key = keys.create("laptop", {Scope::inference}, kNow + 10, kNow);
  ASSERT_TRUE(keys.check(key.secret, kNow + 9));
  EXPECT_EQ(keys.check(key.secret, kNow + 9)->scopes, std::vector<Scope>{Scope::inference});
  EXPECT_FALSE(keys.check(key.secret, kNow + 10));
  EXPECT_FALSE(keys.check(key.secret + "x", kNow));
  EXPECT_FALSE(keys.check("", kNow));

  const auto other = keys.create("server", {Scope::admin}, std::nullopt, kNow);
  keys.revoke("server", kNow + 1);
  EXPECT_FALSE(keys.check(other.secret, kNow + 2));
}

TEST(Keys, TheirFolderIsMadeWhereThereIsNone) {
  const strata::testing::TempFolder folder;
  const auto path = folder.path() / "new" / "strata.db";
  const auto key = KeyStore(path).create("laptop", {Scope::admin}, std::nullopt, kNow);
  EXPECT_TRUE(KeyStore(path).check(key.secret, kNow));
}

TEST(Keys, TheListTellsEverythingButTheSecret) {
  KeyStore keys(":memory:");
  const auto key = keys.create("laptop", {Scope::inference, Scope::metrics}, std::nullopt, kNow);
  keys.check(key.secret, kNow + 100);
  const auto list = keys.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].tail, key.secret.substr(key.secret.size() - 4));
  EXPECT_EQ(list[0].last_used, kNow + 100);
  EXPECT_EQ(key.secret.size(), kKeyPrefix.size() + 43);  // 256 bits, six a character
}

TEST(Keys, WhatTheyUseIsAddedUpAcrossProcesses) {
  const strata::testing::TempFolder folder;
  const auto path = folder.path() / "strata.db";
  std::string id;
  {
    KeyStore keys(path);
    const auto key = keys.create("laptop", {Scope::inference}, std::nullopt, kNow);
    id = key.info.id;
    keys.used(id, {.requests = 1, .prompt_tokens = 10, .completion_tokens = 5});
    keys.check(key.secret, kNow);  // its first use is written, and what it used with it
    EXPECT_EQ(KeyStore(path).get(id).use.prompt_tokens, 10);
    keys.used(id, {.requests = 1, .prompt_tokens = 1});
    keys.check(key.secret, kNow + 59);
    EXPECT_EQ(KeyStore(path).get(id).use.requests, 1) << "written at most once a minute";
    keys.used("a key that is gone", {.requests = 1});
  }
  const CallerUse use = KeyStore(path).get(id).use;
  EXPECT_EQ(use.requests, 2);
  EXPECT_EQ(use.prompt_tokens, 11);
  EXPECT_EQ(use.completion_tokens, 5);
  EXPECT_THROW(KeyStore(path).get("nobody"), Error);
}

TEST(Keys, BadWishesAreRefused) {
  KeyStore keys(":memory:");
  EXPECT_THROW(keys.create("", {Scope::admin}, std::nullopt, kNow), Error);
  EXPECT_THROW(keys.create(std::string(101, 'x'), {Scope::admin}, std::nullopt, kNow), Error);
  EXPECT_THROW(keys.create("x", {}, std::nullopt, kNow), Error);
  EXPECT_THROW(keys.create("x", {Scope::admin}, kNow, kNow), Error);
  EXPECT_THROW(keys.revoke("x", kNow), Error);
  keys.create("x", {Scope::admin}, std::nullopt, kNow);
  keys.create("x", {Scope::admin}, std::nullopt, kNow);
  EXPECT_THROW(keys.revoke("x", kNow), Error);
  EXPECT_NO_THROW(keys.revoke(keys.list()[0].id, kNow));
}

TEST(Keys, ANameThatIsSqlIsJustAName) {
  KeyStore keys(":memory:");
  const std::string name = "'); DROP TABLE api_key; --";
  keys.create(name, {Scope::admin}, std::nullopt, kNow);
  EXPECT_EQ(keys.list()[0].name, name);
}

TEST(Invitations, MakeOneKeyOnceInWhateverProcess) {
  const strata::testing::TempFolder folder;
  const auto path = folder.path() / "strata.db";
  KeyStore server(path), terminal(path);
  const Invitation invitation = terminal.invite("anna", {Scope::inference}, kNow);
  const Accepted accepted = server.accept(invitation.code, invitation.expires - 1);
  const std::vector<Scope> scopes{Scope::inference};
  EXPECT_EQ(server.check(accepted.key.secret, kNow)->scopes, scopes);
  EXPECT_EQ(server.check(accepted.session, kNow)->key_id, accepted.key.info.id);
  EXPECT_EQ(server.get(accepted.key.info.id).name, "anna");
  for (KeyStore* store : {&server, &terminal}) {
    EXPECT_THROW(store->accept(invitation.code, kNow), Error);
  }
  EXPECT_EQ(server.list().size(), 1u);
}

TEST(Invitations, OfManyThatAcceptAtOnceOneHasTheKey) {
  const strata::testing::TempFolder folder;
  const auto path = folder.path() / "strata.db";
  const std::string code = KeyStore(path).invite("anna", {Scope::inference}, kNow).code;
  std::atomic<int> n_keys = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        KeyStore keys(path);
        try {
          keys.accept(code, kNow);
          ++n_keys;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::unauthenticated) << error.message();
        }
      });
    }
  }
  EXPECT_EQ(n_keys, 1);
  EXPECT_EQ(KeyStore(path).list().size(), 1u);
}

TEST(Invitations, EndAndAreNoKeysNorSessions) {
  KeyStore keys(":memory:");
  const Invitation invitation = keys.invite("anna", {Scope::admin}, kNow);
  EXPECT_FALSE(keys.check(invitation.code, kNow));
  EXPECT_THROW(keys.open_session(invitation.code, kNow), Error);
  EXPECT_THROW(keys.accept(invitation.code + "x", kNow), Error);
  EXPECT_THROW(keys.accept("", kNow), Error);
  EXPECT_THROW(keys.accept(invitation.code, kNow + kInvitationS), Error);
  EXPECT_THROW(keys.invite("", {Scope::admin}, kNow), Error);
  EXPECT_THROW(keys.invite("a\nb", {Scope::admin}, kNow), Error);
  EXPECT_THROW(keys.invite("anna", {}, kNow), Error);
  EXPECT_TRUE(keys.list().empty());
  EXPECT_EQ(keys.accept(invitation.code, kNow).key.info.name, "anna");

  const Invitation sent_to_another = keys.invite("bob", {Scope::admin}, kNow);
  EXPECT_EQ(keys.end_invitations(), 1);
  EXPECT_THROW(keys.accept(sent_to_another.code, kNow), Error);
}

TEST(Invitations, AFirstOneIsGoodOnlyWhileNoKeyIsLive) {
  KeyStore keys(":memory:");
  const auto earlier = keys.invite_first(kNow), first = keys.invite_first(kNow);
  ASSERT_TRUE(earlier && first);
  EXPECT_THROW(keys.accept(earlier->code, kNow), Error);
  const NewKey made = keys.create("laptop", {Scope::inference}, std::nullopt, kNow);
  EXPECT_FALSE(keys.invite_first(kNow));
  EXPECT_THROW(keys.accept(first->code, kNow), Error);
  EXPECT_EQ(keys.list().size(), 1u);

  keys.revoke(made.info.id, kNow);
  const auto next = keys.invite_first(kNow);
  ASSERT_TRUE(next);
  const Accepted accepted = keys.accept(next->code, kNow);
  EXPECT_EQ(accepted.key.info.scopes, std::vector<Scope>{Scope::admin});
  EXPECT_FALSE(keys.invite_first(kNow));
}

// Whoever has none must not make others wait.
TEST(Invitations, WhatIsNoneWaitsForNoWriter) {
  const strata::testing::TempFolder folder;
  const auto path = folder.path() / "strata.db";
  KeyStore keys(path);
  Database writer = Database::open(path);
  const Transaction open(writer);
  const strata::Error refused = strata::testing::error_of([&] { keys.accept("guess", kNow); });
  EXPECT_EQ(refused.code(), Code::unauthenticated) << refused.message();
}

TEST(Keys, TheAddressOfTheirServerIsTheLastOne) {
  KeyStore keys(":memory:");
  EXPECT_EQ(keys.address(), "");
  keys.set_address("http://a:1");
  keys.set_address("http://b:2");
  EXPECT_EQ(keys.address(), "http://b:2");
}

}  // namespace
}  // namespace strata::api
