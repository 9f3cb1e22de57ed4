#include "api/prompt/context_policy.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/parameters.h"

namespace strata::api {
namespace {

using models::Message;

Message said(std::string role, std::string content) {
  return {.role = std::move(role), .content = std::move(content)};
}

Message calling(const std::string& id) {
  return {.role = "assistant", .tool_calls = {{.id = id, .name = "look", .arguments = "{}"}}};
}

Message result_of(const std::string& id) {
  return {.role = "tool", .content = "found " + id, .tool_call_id = id};
}

std::string words_of(const std::vector<Message>& messages) {
  std::string words;
  for (const Message& message : messages) {
    words += message.role.substr(0, 1) + message.content + message.tool_call_id + " ";
  }
  return words;
}

TEST(ContextPolicy, ATurnGoesWithTheCallsThatWereMadeForItAndTheirResults) {
  const std::vector<Message> messages{
      said("system", "S"),    said("user", "1"), calling("a"), result_of("a"),
      said("assistant", "1"), said("user", "2"), calling("b"), result_of("b"),
      calling("c"),           result_of("c")};
  const auto turns = droppable_turns(messages);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(words_of(without_turns(messages, turns, 0)), words_of(messages));
  EXPECT_EQ(words_of(without_turns(messages, turns, 1)), "sS u2 a tfound bb a tfound cc ");
  EXPECT_EQ(words_of(without_turns(messages, turns, 2)), "sS u2 a tfound cc ");
}

// As clients of Anthropic's interface may write it: a text beside the result, read as one before
// it.
TEST(ContextPolicy, ATextBetweenACallAndItsResultPartsThemNot) {
  const std::vector<Message> messages{said("user", "1"),         calling("a"),
                                      said("user", "and hurry"), result_of("a"),
                                      said("assistant", "1"),    said("user", "2")};
  const auto turns = droppable_turns(messages);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(words_of(without_turns(messages, turns, 1)), "u2 ");
}

TEST(ContextPolicy, ASummaryStandsInFrontOfWhatIsLeftAndRolesStayInTurn) {
  const std::vector<Message> messages{said("system", "S"),    said("user", "1"),
                                      said("assistant", "1"), said("user", "2"),
                                      said("assistant", "2"), said("user", "3")};
  const auto turns = droppable_turns(messages);
  ASSERT_EQ(turns.size(), 2u);
  for (const size_t n : {1u, 2u}) {
    const auto kept = without_turns(messages, turns, n, "what was said");
    EXPECT_EQ(kept[0].content, "S");
    EXPECT_NE(kept[1].content.find("what was said"), std::string::npos);
    for (size_t i = 1; i < kept.size(); ++i) {
      EXPECT_EQ(kept[i].role, i % 2 == 1 ? "user" : "assistant") << n << ": " << i;
    }
    EXPECT_EQ(kept.back().content, "3");
  }
}

TEST(ContextPolicy, WhereNothingIsOldNothingGoes) {
  EXPECT_TRUE(droppable_turns({}).empty());
  EXPECT_TRUE(droppable_turns(std::vector{said("user", "1")}).empty());
  EXPECT_TRUE(droppable_turns(std::vector{said("system", "S"), said("user", "1")}).empty());
  EXPECT_TRUE(
      droppable_turns(std::vector{said("user", "1"), calling("a"), result_of("a")}).empty());
  EXPECT_TRUE(droppable_turns(std::vector{said("system", "S"), said("developer", "D")}).empty());
}

// Random conversations that a client could send: whatever goes, the rest is one that it could have
// sent, too.
TEST(ContextPolicy, WhatIsLeftIsAConversation) {
  std::mt19937 random(20);
  const auto draw = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::vector<Message> messages;
    int id = 0;
    for (unsigned i = draw(3); i > 0; --i) messages.push_back(said("system", std::to_string(i)));
    for (unsigned turn = 1 + draw(8); turn > 0; --turn) {
      messages.push_back(said("user", "question " + std::to_string(turn)));
      for (unsigned step = draw(4); step > 0; --step) {
        const std::string name = std::to_string(id++);
        messages.push_back(calling(name));
        if (draw(6) == 0) messages.push_back(said("system", "reminder " + name));
        messages.push_back(result_of(name));
      }
      if (turn > 1 || draw(2) == 0) messages.push_back(said("assistant", "answer"));
    }
    const auto turns = droppable_turns(messages);
    const auto systems = [](const std::vector<Message>& all) {
      std::string text;
      for (const Message& message : all) text += is_system(message) ? message.content + "|" : "";
      return text;
    };
    size_t before = messages.size() + 1;
    for (size_t n = 0; n <= turns.size(); ++n) {
      const auto kept = without_turns(messages, turns, n);
      EXPECT_LT(kept.size(), before) << "each turn takes something along";
      before = kept.size();
      EXPECT_EQ(systems(kept), systems(messages));
      EXPECT_EQ(words_of({kept.back()}), words_of({messages.back()}));
      const auto first = std::ranges::find_if_not(kept, is_system);
      EXPECT_EQ(first->role, "user");
      EXPECT_TRUE(std::ranges::any_of(
          kept, [](const Message& each) { return each.content == "question 1"; }));
      std::set<std::string> calls;
      for (const Message& message : kept) {
        for (const auto& call : message.tool_calls) calls.insert(call.id);
        EXPECT_TRUE(message.role != "tool" || calls.contains(message.tool_call_id));
      }
    }
  }
}

TEST(ContextPolicy, AModelsParameterTakesThePoliciesThatThereAre) {
  for (const auto policy :
       {ContextPolicy::error, ContextPolicy::truncate, ContextPolicy::summarise}) {
    EXPECT_EQ(parse_context_policy(name(policy)), policy);
    EXPECT_EQ(models::read_parameter("context_policy", name(policy)).text, name(policy));
  }
  EXPECT_EQ(models::parameter_rule("context_policy").words.size(), 3u);
  EXPECT_THROW(parse_context_policy("shorten"), Error);
  EXPECT_THROW(models::read_parameter("context_policy", "shorten"), Error);
}

}  // namespace
}  // namespace strata::api
