#include "models/chat/output/described_tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/chat/output/testing/read_output.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;
using testing::read_output;

Conversation asked(std::vector<Message> messages) {
  Conversation conversation;
  conversation.messages = std::move(messages);
  conversation.tools = parse_json(R"([{"type": "function", "function": {"name": "get_weather",
      "description": "Looks out of the window.", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])")
                           .as_array();
  return conversation;
}

TEST(DescribedTools, ToolsStandBehindTheSystemTextOfTheConversationOrOfTheModel) {
  const Message user{.role = "user", .content = "Hi"};
  const auto own = with_described_tools(asked({{.role = "system", .content = "Be kind."}, user}),
                                        "unread", ToolsPlace::system);
  EXPECT_TRUE(own.tools.empty());
  ASSERT_EQ(own.messages.size(), 2u);
  EXPECT_TRUE(own.messages[0].content.starts_with("Be kind.\n\n"));
  EXPECT_THAT(own.messages[0].content, HasSubstr(R"("required":["city"])"));
  const auto models = with_described_tools(asked({user}), "Be brief.", ToolsPlace::system);
  ASSERT_EQ(models.messages.size(), 2u);
  EXPECT_TRUE(models.messages[0].content.starts_with("Be brief.\n\n"));
  const auto none = with_described_tools(asked({user}), "x", ToolsPlace::first_user_message);
  ASSERT_EQ(none.messages.size(), 1u);
  EXPECT_THAT(none.messages[0].content, HasSubstr("Looks out of the window."));
  EXPECT_TRUE(none.messages[0].content.ends_with("\n\nHi"));
}

TEST(DescribedTools, CallsThatWereMadeReadBackAndResultsMakeOneMessage) {
  const std::vector<ToolCall> calls{
      {.id = "1", .name = "get_weather", .arguments = R"({"city": "Troms\u00f8 </tool_call>"})"},
      {.id = "2", .name = "get_weather", .arguments = R"({"city":"Oslo"})"}};
  const auto told =
      with_described_tools(asked({{.role = "user", .content = "Hi"},
                                  {.role = "assistant", .content = "I look.", .tool_calls = calls},
                                  {.role = "tool", .content = "cold", .tool_call_id = "1"},
                                  {.role = "tool", .content = "wet", .tool_call_id = "2"},
                                  {.role = "assistant", .content = "Cold and wet."}}),
                           "", ToolsPlace::system);
  ASSERT_EQ(told.messages.size(), 5u);
  EXPECT_EQ(told.messages[3].role, "user");
  EXPECT_EQ(told.messages[3].content,
            "<tool_response>\ncold\n</tool_response>\n<tool_response>\nwet\n</tool_response>");
  const OutputOptions options{
      .format = &described_tools_format(), .tools = ToolSet(asked({}).tools, {}), .id_seed = 1};
  const std::string& written = told.messages[2].content;
  const auto whole = read_output(options, written);
  EXPECT_EQ(whole.content, "I look.");
  ASSERT_EQ(whole.calls.size(), 2u);
  EXPECT_EQ(whole.calls[0].arguments, calls[0].arguments);
  EXPECT_EQ(whole.calls[1].arguments, calls[1].arguments);
  for (size_t cut = 1; cut < written.size(); ++cut) {
    EXPECT_EQ(read_output(options, written, {cut}), whole) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace strata::models
