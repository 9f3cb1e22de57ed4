#include "app/cli/chat/save.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::app {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;
using ::testing::HasSubstr;

class SaveTest : public ::testing::Test {
 protected:
  SaveTest() {
    for (const char* name : {"base:latest", "other:latest"}) {
      models::Manifest manifest;
      manifest.name = name;
      manifest.model = {store.put_blob("GGUF base")};
      manifest.overrides.system = "Be terse.";
      manifest.overrides.messages = {{.role = "user", .content = "old"}};
      store.put_manifest(manifest);
    }
    session.model = "base:latest";
    session.own_names = {session.model};
    session.messages = {{.role = "user", .content = "new"}};
  }
  std::vector<std::string> messages(const std::string& name) const {
    std::vector<std::string> out;
    for (const auto& message : store.find(name).overrides.messages) out.push_back(message.content);
    return out;
  }

  TempFolder folder;
  models::Store store{folder.path() / "store"};
  ChatSession session;
};

TEST_F(SaveTest, AnotherModelIsNotReplacedUnasked) {
  const Error error = error_of([&] { save_session(session, store, "other", false); });
  EXPECT_EQ(error.code(), Code::already_exists);
  EXPECT_THAT(error.hint(), HasSubstr("--force"));
  EXPECT_THAT(messages("other"), ::testing::ElementsAre("old"));
  save_session(session, store, "other", true);
  EXPECT_THAT(messages("other"), ::testing::ElementsAre("old", "new"));
  save_session(session, store, "other", false);  // by now it is the chat's own
  save_session(session, store, "fresh", false);
  save_session(session, store, "fresh", false);
  EXPECT_THAT(messages("fresh"), ::testing::ElementsAre("old", "new"));
}

TEST_F(SaveTest, WhatWasForgottenIsNotSaved) {
  session.model_messages = false;
  session.system = "";
  EXPECT_EQ(save_session(session, store, "fresh", false), "fresh:latest");
  EXPECT_THAT(messages("fresh"), ::testing::ElementsAre("new"));
  EXPECT_EQ(store.find("fresh").overrides.system, "");
}

TEST_F(SaveTest, AModelSavedOntoItselfBringsTheConversationOnce) {
  for (int i = 0; i < 2; ++i) {
    save_session(session, store, "base", false);
    EXPECT_THAT(messages("base"), ::testing::ElementsAre("old", "new"));
    EXPECT_TRUE(session.messages.empty());
  }
  EXPECT_EQ(store.find("base").parent, "");
}

}  // namespace
}  // namespace strata::app
