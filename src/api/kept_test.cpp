// What owners keep: counted to the byte whichever way it goes, limited, and gone when it is old.
#include "api/kept.h"

#include <gtest/gtest.h>

#include "api/conversation/history.h"
#include "api/files/batch_store.h"
#include "api/files/file_store.h"
#include "api/testing/fixture.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using strata::testing::error_of;

constexpr int64_t kDayS = 86'400;

json::object item(const std::string& id, const std::string& text) {
  return {{"id", id}, {"text", text}};
}

class Kept : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "strata.db"; }
  FileStore files(const KeepLimits& limits = {}) const {
    return {path(), folder_.path() / "files", limits};
  }
  int64_t bytes(const std::string& owner = "me") const {
    Database database = Database::open(path());
    return kept_bytes(database, owner);
  }

  static void put_response(History& history, const std::string& owner, const std::string& id,
                           int64_t created_s, const std::string& status = "completed") {
    history.responses.create(
        owner,
        {.id = id, .created = created_s, .status = status, .streamed = true, .data = {{"id", id}}},
        {item(id + "_in", "question")}, "{}");
    const ResponseStep step{.items = {item(id + "_out", "answer")},
                            .events = {{0, "event 0"}, {1, "event 1"}}};
    if (status == "completed") history.responses.finish(owner, id, status, {{"id", id}}, step);
  }
  static void put_chat(History& history, const std::string& owner, const std::string& id,
                       int64_t created_s, const std::string& text = "words") {
    history.chats.put(owner, {.id = id,
                              .model = "m",
                              .created = created_s,
                              .completion = {{"id", id}, {"metadata", json::object{{"k", "v"}}}},
                              .messages = {item(id + "_0", text)}});
  }

  strata::testing::TempFolder folder_;
};

TEST_F(Kept, IsCountedInEveryTableAndNothingIsLeftOfWhatWent) {
  History history(path());
  FileStore stored = files();
  BatchStore batches(path());
  std::vector<int64_t> sums{bytes()};
  const auto grows = [&](const char* what) {
    sums.push_back(bytes());
    EXPECT_GT(sums[sums.size() - 1], sums[sums.size() - 2]) << what;
  };
  put_response(history, "me", "r1", 1);
  grows("response");
  put_response(history, "me", "r2", 1, std::string(kInProgress));
  history.responses.add("me", "r2", {.items = {item("o", "half")}, .events = {{0, "e"}}});
  history.responses.add("me", "r2", {.items = {item("o", "half of it")}});
  grows("a response that is under way");
  put_chat(history, "me", "c1", 1);
  grows("chat");
  const auto conversation = history.conversations.create("me", {{"a", "b"}}, {item("i", "1")}, 1);
  ASSERT_TRUE(history.conversations.append("me", conversation.id, {item("j", "2")}));
  grows("conversation");
  const std::string thread(history.threads.create("me", {.title = "t"}, 1).at("id").as_string());
  auto message = history.threads.add("me", thread, {.role = "user", .text = "hello"}, 1);
  message.text = "hello, longer";
  ASSERT_TRUE(history.threads.update("me", thread, message, 1));
  history.shares.put("me", thread, {{"title", "t"}}, 1);
  history.shares.put("me", thread, {{"title", "another"}}, 1);
  grows("thread");
  const auto file = stored.add({.id = "file-1", .owner = "me", .name = "f", .created = 1}, "12345");
  EXPECT_EQ(bytes(), sums.back() + 5);
  stored.add({.id = "file-1", .owner = "me", .name = "f", .created = 1}, "1234567");
  EXPECT_EQ(bytes(), sums.back() + 7) << "the same file with another content";
  const auto batch = batches.add("me", {{"x", 1}});
  batches.record(batch.id, 0, {true, "answer"});
  batches.record(batch.id, 0, {true, "once more, which is not taken"});
  batches.record("batch_of_nobody", 0, {true, "answer"});
  grows("file and batch");
  EXPECT_EQ(bytes(""), 0);
  EXPECT_EQ(bytes("you"), 0);

  EXPECT_TRUE(history.responses.remove("me", "r1"));
  EXPECT_TRUE(history.responses.remove("me", "r2"));
  EXPECT_TRUE(history.chats.remove("me", "c1"));
  EXPECT_TRUE(history.conversations.remove_item("me", conversation.id, "i"));
  EXPECT_TRUE(history.conversations.remove("me", conversation.id));
  EXPECT_TRUE(history.threads.remove("me", thread));
  EXPECT_TRUE(stored.remove("me", file.id));
  batches.remove(batch.id);
  EXPECT_EQ(bytes(), 0);
}

TEST_F(Kept, WhatWasThereBeforeCountsToo) {
  int64_t before = 0;
  {
    History history(path());
    put_response(history, "me", "r1", 1);
    put_chat(history, "me", "c1", 1);
    put_response(history, "you", "r2", 1);
    before = bytes();
  }
  Database database = Database::open(path());
  std::vector<std::string> triggers;
  auto select = database.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'");
  while (select.step()) triggers.push_back(select.text(0));
  select.reset();
  for (const std::string& name : triggers) database.execute("DROP TRIGGER " + name);
  database.execute("DROP TABLE kept; DELETE FROM migrations WHERE owner LIKE 'kept_%'");
  History history(path());
  EXPECT_GT(before, 0);
  EXPECT_EQ(bytes(), before);
  EXPECT_TRUE(history.responses.remove("me", "r1"));
  EXPECT_TRUE(history.chats.remove("me", "c1"));
  EXPECT_EQ(bytes(), 0);
  EXPECT_GT(bytes("you"), 0);
}

TEST_F(Kept, BeyondTheLimitNothingBeginsAndTheNumbersAreTold) {
  const KeepLimits limits{.owner_bytes = 2000};
  History history(path(), limits);
  FileStore stored = files(limits);
  BatchStore batches(path(), limits);
  stored.add({.owner = "me", .name = "f", .created = 1}, std::string(1900, 'x'));
  const std::string more(200, 'y');
  const std::vector<std::function<void()>> writes{
      [&] { stored.add({.owner = "me", .name = "g", .created = 1}, more); },
      [&] { batches.add("me", {{"x", more}}); },
      [&] { put_chat(history, "me", "c", 1, more); },
      [&] { history.conversations.create("me", {}, {item("i", more)}, 1); },
      [&] { history.threads.create("me", {.draft = more}, 1); },
      [&] {
        history.responses.create("me", {.id = "r", .status = "queued", .data = {}},
                                 {item("i", more)}, "{}");
      }};
  for (size_t i = 0; i < writes.size(); ++i) {
    const Error error = error_of(writes[i]);
    EXPECT_EQ(error.code(), Code::resource_exhausted) << i;
    EXPECT_NE(error.message().find("the limit is 2000"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("server.keep_bytes"), std::string::npos);
    EXPECT_EQ(bytes(), 1900) << i;
  }
  EXPECT_FALSE(history.responses.find("me", "r"));
  EXPECT_NO_THROW(put_chat(history, "you", "c2", 1, more));
  EXPECT_NO_THROW(put_chat(history, "me", "c3", 1));
}

TEST_F(Kept, WhoKeepsTooMuchCanStillMakeItLess) {
  std::string thread;
  {
    History history(path());
    thread = history.threads.create("me", {.draft = std::string(500, 'd')}, 1).at("id").as_string();
  }
  History history(path(), {.owner_bytes = 100});
  EXPECT_EQ(error_of([&] {
              history.threads.change("me", thread, {.draft = std::string(501, 'd')}, 2);
            }).code(),
            Code::resource_exhausted);
  EXPECT_TRUE(history.threads.change("me", thread, {.draft = "short"}, 2));
  EXPECT_LT(bytes(), 100);
}

TEST_F(Kept, WhatIsOldGoesButNotWhatIsUnderWayNorConversations) {
  History history(path(), {.days = 30});
  const int64_t now_s = 100 * kDayS;
  put_response(history, "me", "old", now_s - 31 * kDayS);
  put_response(history, "me", "working", now_s - 31 * kDayS, std::string(kInProgress));
  put_response(history, "", "young", now_s - 30 * kDayS);
  put_chat(history, "", "old_chat", now_s - 31 * kDayS);
  put_chat(history, "me", "young_chat", now_s - 29 * kDayS);
  const auto conversation = history.conversations.create("me", {}, {item("i", "1")}, 1);
  const std::string thread(history.threads.create("", {}, 1).at("id").as_string());
  history.expire(now_s);
  EXPECT_FALSE(history.responses.find("me", "old"));
  EXPECT_TRUE(history.responses.events("me", "old", -1).empty());
  EXPECT_TRUE(history.responses.find("me", "working"));
  EXPECT_TRUE(history.responses.find("", "young"));
  EXPECT_FALSE(history.chats.find("", "old_chat"));
  EXPECT_TRUE(history.chats.find("me", "young_chat"));
  EXPECT_TRUE(history.conversations.find("me", conversation.id));
  EXPECT_TRUE(history.threads.find("", thread));
  history.expire(now_s + 3599);
  EXPECT_TRUE(history.responses.find("", "young")) << "it looks once an hour";
  history.expire(now_s + 3600);
  EXPECT_FALSE(history.responses.find("", "young"));
}

TEST_F(Kept, AServerDeletesWhatIsOldThoughNobodyAsksForIt) {
  constexpr int64_t kNowS = testing::kNowMs / 1000;
  History history(path(), {.days = 30});
  FileStore stored = files();
  put_response(history, "me", "old", kNowS - 31 * kDayS);
  put_response(history, "me", "young", kNowS - 29 * kDayS);
  put_chat(history, "me", "old_chat", kNowS - 31 * kDayS);
  const auto file = stored.add(
      {.owner = "me", .name = "a", .purpose = "batch", .created = kNowS - 9, .expires = kNowS - 1},
      "content");
  Services services;
  services.history = &history;
  services.files = &stored;
  testing::Running running(make_scripted_backend(default_script()), services);
  running.server->stop();  // which waits for the look that every start begins with
  EXPECT_FALSE(history.responses.find("me", "old"));
  EXPECT_TRUE(history.responses.find("me", "young"));
  EXPECT_FALSE(history.chats.find("me", "old_chat"));
  EXPECT_FALSE(stored.remove("me", file.id)) << "its row is gone";
}

TEST_F(Kept, ZeroDaysAreForEverAndZeroBytesNoLimit) {
  History history(path(), {.days = 0, .owner_bytes = 0});
  put_response(history, "me", "old", 1);
  history.expire(1000 * kDayS);
  EXPECT_TRUE(history.responses.find("me", "old"));
}

}  // namespace
}  // namespace strata::api
