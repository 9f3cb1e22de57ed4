// Owners see only what is theirs, lists go on where they ended, and a crash keeps what was written.
#include "api/conversation/history.h"

#include <csignal>
#include <future>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/only_server.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using strata::testing::error_of;

json::object item(const std::string& id, const std::string& text) {
  return {{"id", id}, {"status", "completed"}, {"text", text}};
}

std::vector<std::string> ids(const json::array& items) {
  std::vector<std::string> all;
  for (const json::value& each : items) all.emplace_back(each.at("id").as_string());
  return all;
}

using Ids = std::vector<std::string>;

class HistoryTest : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "strata.db"; }

  static ResponseRow row(const std::string& id, const std::string& previous = {}) {
    return {.id = id,
            .created = 1,
            .status = std::string(kInProgress),
            .previous = previous,
            .data = {{"id", id}, {"status", kInProgress}}};
  }

  // A response that has ended, with one item in and one out.
  static void put(History& history, const std::string& owner, const std::string& id,
                  const std::string& previous = {}) {
    history.responses.create(owner, row(id, previous), {item(id + "_in", "question")}, "{}");
    history.responses.finish(owner, id, "completed", {{"id", id}},
                             {.first_item = 0, .items = {item(id + "_out", "answer")}});
  }

  strata::testing::TempFolder folder_;
};

TEST_F(HistoryTest, ItemsOfAConversationAreListedPageByPageInBothOrders) {
  History history(path());
  auto& store = history.conversations;
  const auto made = store.create("me", {{"topic", "x"}}, {item("a", "1"), item("b", "2")}, 7);
  ASSERT_TRUE(store.append("me", made.id, {item("c", "3")}));
  EXPECT_EQ(ids(store.items("me", made.id)), (Ids{"a", "b", "c"}));
  Page page = store.item_page("me", made.id, {.limit = 2});
  EXPECT_EQ(ids(page.data), (Ids{"c", "b"}));
  EXPECT_TRUE(page.has_more);
  page = store.item_page("me", made.id, {.after = "b", .limit = 2});
  EXPECT_EQ(ids(page.data), Ids{"a"});
  EXPECT_FALSE(page.has_more);
  page = store.item_page("me", made.id, {.after = "a", .limit = 2, .ascending = true});
  EXPECT_EQ(ids(page.data), (Ids{"b", "c"}));
  EXPECT_FALSE(page.has_more);
  EXPECT_EQ(error_of([&] { store.item_page("me", made.id, {.after = "z"}); }).code(),
            Code::not_found);
}

TEST_F(HistoryTest, WhatIsRemovedIsGoneAndTheRestStays) {
  History history(path());
  auto& store = history.conversations;
  const auto made = store.create("me", {}, {item("a", "1"), item("b", "2")}, 7);
  EXPECT_TRUE(store.remove_item("me", made.id, "a"));
  EXPECT_FALSE(store.remove_item("me", made.id, "a"));
  store.append("me", made.id, {item("c", "3")});
  EXPECT_EQ(ids(store.items("me", made.id)), (Ids{"b", "c"}));
  EXPECT_TRUE(store.set_metadata("me", made.id, {{"k", "v"}}));
  EXPECT_EQ(store.find("me", made.id)->metadata.at("k"), "v");
  EXPECT_TRUE(store.remove("me", made.id));
  EXPECT_FALSE(store.find("me", made.id));
  EXPECT_FALSE(store.any_item("me", "b"));
  EXPECT_FALSE(store.append("me", made.id, {item("d", "4")}));
}

TEST_F(HistoryTest, AnotherOwnerFindsNothing) {
  History history(path());
  auto& conversations = history.conversations;
  const auto made = conversations.create("me", {}, {item("a", "1")}, 7);
  for (const std::string other : {"you", ""}) {
    EXPECT_FALSE(conversations.find(other, made.id));
    EXPECT_FALSE(conversations.set_metadata(other, made.id, {}));
    EXPECT_FALSE(conversations.append(other, made.id, {item("x", "1")}));
    EXPECT_TRUE(conversations.items(other, made.id).empty());
    EXPECT_TRUE(conversations.item_page(other, made.id, {}).data.empty());
    EXPECT_FALSE(conversations.item(other, made.id, "a"));
    EXPECT_FALSE(conversations.remove_item(other, made.id, "a"));
    EXPECT_FALSE(conversations.any_item(other, "a"));
    EXPECT_FALSE(conversations.remove(other, made.id));
  }
  put(history, "me", "r1");
  history.responses.add("me", "r1", {.events = {{0, "event"}}});
  for (const std::string other : {"you", ""}) {
    auto& responses = history.responses;
    EXPECT_FALSE(responses.find(other, "r1"));
    EXPECT_TRUE(responses.output(other, "r1").empty());
    EXPECT_TRUE(responses.input_page(other, "r1", {}).data.empty());
    EXPECT_TRUE(responses.events(other, "r1", -1).empty());
    EXPECT_FALSE(responses.any_item(other, "r1_out"));
    EXPECT_FALSE(responses.add(other, "r1", {.items = {item("x", "1")}}));
    EXPECT_FALSE(responses.finish(other, "r1", "failed", {}, {}));
    EXPECT_EQ(error_of([&] { responses.chain(other, "r1"); }).code(), Code::not_found);
    EXPECT_FALSE(responses.remove(other, "r1"));
  }
  EXPECT_EQ(ids(history.responses.output("me", "r1")), Ids{"r1_out"});
  EXPECT_EQ(history.responses.events("me", "r1", -1).size(), 1u);
}

// A character may have four bytes.
TEST_F(HistoryTest, AConversationsLimitCountsBytes) {
  History history(path());
  const auto made = history.conversations.create("ada", {}, {}, 1);
  std::string text;
  for (int64_t n = 0; n < kMaxConversationBytes * 3 / 4; n += 4) text += "\U0001F642";
  EXPECT_TRUE(history.conversations.append("ada", made.id, {item("a", text)}));
  text.resize(text.size() / 2);
  EXPECT_EQ(
      error_of([&] { history.conversations.append("ada", made.id, {item("b", text)}); }).code(),
      Code::resource_exhausted);
}

TEST_F(HistoryTest, AChainIsReadFromItsBeginning) {
  History history(path());
  put(history, "me", "r1");
  put(history, "me", "r2", "r1");
  put(history, "me", "r3", "r2");
  EXPECT_EQ(ids(history.responses.chain("me", "r3")),
            (Ids{"r1_in", "r1_out", "r2_in", "r2_out", "r3_in", "r3_out"}));
  history.responses.remove("me", "r1");
  const Error broken = error_of([&] { history.responses.chain("me", "r3"); });
  EXPECT_EQ(broken.code(), Code::not_found);
  EXPECT_NE(broken.message().find("\"r1\""), std::string::npos) << broken.message();
}

TEST_F(HistoryTest, AChainDoesNotGoThroughWhatIsUnderWayOrOfAConversation) {
  History history(path());
  history.responses.create("me", row("r1"), {}, "{}");
  EXPECT_EQ(error_of([&] { history.responses.chain("me", "r1"); }).code(),
            Code::failed_precondition);
  ResponseRow talk = row("r2");
  talk.in_conversation = true;
  history.responses.create("me", talk, {}, "{}");
  history.responses.finish("me", "r2", "completed", {{"id", "r2"}}, {});
  const Error error = error_of([&] { history.responses.chain("me", "r2"); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_NE(error.hint().find("conversation"), std::string::npos);
}

TEST_F(HistoryTest, AnItemThatGrowsIsOneItem) {
  History history(path());
  auto& store = history.responses;
  store.create("me", row("r1"), {}, "{}");
  store.add("me", "r1", {.first_item = 0, .items = {item("m", "one")}});
  store.add("me", "r1", {.first_item = 0, .items = {item("m", "one two"), item("n", "x")}});
  store.add("me", "r1", {.first_item = 1, .items = {item("n", "x y")}});
  const json::array output = store.output("me", "r1");
  ASSERT_EQ(ids(output), (Ids{"m", "n"}));
  EXPECT_EQ(output.at(0).at("text"), "one two");
  EXPECT_EQ(output.at(1).at("text"), "x y");
}

TEST_F(HistoryTest, NothingIsWrittenBehindAResponseThatWasDeleted) {
  History history(path());
  history.responses.create("me", row("r1"), {}, "{}");
  history.responses.remove("me", "r1");
  EXPECT_FALSE(history.responses.add("me", "r1", {.items = {item("m", "one")}}));
  EXPECT_FALSE(history.responses.finish("me", "r1", "completed", {}, {}));
  EXPECT_FALSE(history.responses.any_item("me", "m"));
}

// What a killed server had written is there, and is not taken for whole.
TEST_F(HistoryTest, ACrashKeepsTheTextSoFarMarkedAsCut) {
  const pid_t child = ::fork();
  if (child == 0) {
    History history(path());
    history.responses.create("me", row("resp"), {item("q", "question")}, "{}");
    json::object grown = item("m", "once upon");
    grown["status"] = kInProgress;
    history.responses.add("me", "resp", {.first_item = 0, .items = {grown}});
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  History history(path());
  const auto found = history.responses.find("me", "resp");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->status, "failed");
  EXPECT_EQ(found->data.at("status"), "failed");
  EXPECT_EQ(found->data.at("error").at("code"), "server_error");
  const json::array output = history.responses.output("me", "resp");
  ASSERT_EQ(output.size(), 1u);
  EXPECT_EQ(output.at(0).at("text"), "once upon");
  EXPECT_EQ(output.at(0).at("status"), "incomplete");
  EXPECT_EQ(ids(history.responses.input_page("me", "resp", {}).data), Ids{"q"});
}

TEST_F(HistoryTest, ASecondServerLeavesTheAnswersOfTheFirstAlone) {
  History first(path());
  first.responses.create("me", row("r1"), {}, "{}");
  History second(path());
  EXPECT_EQ(second.responses.find("me", "r1")->status, kInProgress);
}

TEST_F(HistoryTest, AServerWaitsForTheKilledOneToBeGoneAndClosesItsAnswers) {
  auto killed = std::make_unique<History>(path());
  killed->responses.create("me", row("r1"), {}, "{}");
  std::promise<void> begins;
  auto next = std::async(std::launch::async, [&] {
    begins.set_value();
    return only_server(path().string() + ".server", std::chrono::minutes(10)).has_value();
  });
  begins.get_future().wait();
  killed.reset();
  EXPECT_TRUE(next.get());
  EXPECT_EQ(History(path()).responses.find("me", "r1")->status, "failed");
}

StoredChat chat(const std::string& id, const std::string& model, const std::string& team) {
  return {.id = id,
          .model = model,
          .created = 1,
          .completion = {{"id", id}, {"metadata", json::object{{"team", team}}}},
          .messages = {json::object{{"id", id + "-0"}, {"content", "hello"}}}};
}

TEST_F(HistoryTest, StoredChatsAreListedByModelAndMetadata) {
  History history(path());
  auto& store = history.chats;
  store.put("me", chat("c1", "small", "red"));
  store.put("me", chat("c2", "large", "red"));
  store.put("me", chat("c3", "small", "blue"));
  store.put("you", chat("c4", "small", "red"));
  const auto listed = [&](ChatFilter filter) {
    return ids(store.page("me", filter, {.ascending = true}).data);
  };
  EXPECT_EQ(listed({}), (Ids{"c1", "c2", "c3"}));
  EXPECT_EQ(listed({.model = "small"}), (Ids{"c1", "c3"}));
  EXPECT_EQ(listed({.metadata = {{"team", "red"}}}), (Ids{"c1", "c2"}));
  EXPECT_EQ(listed({.model = "small", .metadata = {{"team", "red"}}}), Ids{"c1"});
  EXPECT_EQ(store.set_metadata("me", "c1", {{"team", "blue"}})->at("metadata").at("team"), "blue");
  EXPECT_EQ(listed({.metadata = {{"team", "blue"}}}), (Ids{"c1", "c3"}));
  EXPECT_EQ(ids(store.message_page("me", "c1", {})->data), Ids{"c1-0"});
  EXPECT_FALSE(store.find("me", "c4"));
  EXPECT_FALSE(store.message_page("me", "c4", {}));
  EXPECT_FALSE(store.set_metadata("me", "c4", {}));
  EXPECT_FALSE(store.remove("me", "c4"));
  EXPECT_TRUE(store.remove("me", "c1"));
  EXPECT_EQ(listed({}), (Ids{"c2", "c3"}));
}

TEST(HistoryIds, OnlyOursLookLikeOurs) {
  const std::string id = new_id("resp_");
  EXPECT_TRUE(is_id("resp_", id));
  for (const std::string& text :
       {std::string(), std::string("resp_"), id + "0", id.substr(1), "conv_" + id.substr(5),
        std::string("resp_' OR '1'='1' -- 0000000000000"), std::string(37, '\0'), id + "/cancel"}) {
    EXPECT_FALSE(is_id("resp_", text)) << text;
  }
}

}  // namespace
}  // namespace strata::api
