// The cases of Open Responses' conformance suite (www.openresponses.org, 2026-04-24), made again:
// which members an answer and its events must have, and of which kind.
#include <map>
#include <span>

#include "api/dialect/responses/testing/served.h"

namespace strata::api::responses {
namespace {

// A member and the kinds that it may have: s(tring), i(nteger), n(umber), b(oolean), a(rray),
// o(bject), 0 (null).
struct Member {
  std::string_view name, kinds;
};

char kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return 's';
    case json::kind::int64:
    case json::kind::uint64:
      return 'i';
    case json::kind::double_:
      return 'n';
    case json::kind::bool_:
      return 'b';
    case json::kind::array:
      return 'a';
    case json::kind::object:
      return 'o';
    case json::kind::null:
      return '0';
  }
  return '?';
}

void expect_members(const json::value& value, std::span<const Member> members,
                    const std::string& what) {
  ASSERT_TRUE(value.is_object()) << what;
  for (const Member& member : members) {
    const json::value* found = value.get_object().if_contains(member.name);
    ASSERT_NE(found, nullptr) << what << " has no " << member.name;
    char kind = kind_of(*found);
    if (kind == 'i' && member.kinds.find('n') != std::string_view::npos) kind = 'n';
    EXPECT_NE(member.kinds.find(kind), std::string_view::npos)
        << what << "." << member.name << " is " << to_json(*found);
  }
}

constexpr Member kResource[] = {{"id", "s"},
                                {"object", "s"},
                                {"created_at", "i"},
                                {"completed_at", "i0"},
                                {"status", "s"},
                                {"incomplete_details", "o0"},
                                {"model", "s"},
                                {"previous_response_id", "s0"},
                                {"instructions", "s0"},
                                {"output", "a"},
                                {"error", "o0"},
                                {"tools", "a"},
                                {"tool_choice", "so"},
                                {"truncation", "s"},
                                {"parallel_tool_calls", "b"},
                                {"text", "o"},
                                {"top_p", "n"},
                                {"presence_penalty", "n"},
                                {"frequency_penalty", "n"},
                                {"top_logprobs", "i"},
                                {"temperature", "n"},
                                {"reasoning", "o0"},
                                {"usage", "o0"},
                                {"max_output_tokens", "i0"},
                                {"max_tool_calls", "i0"},
                                {"store", "b"},
                                {"background", "b"},
                                {"service_tier", "s"},
                                {"metadata", "o"},
                                {"safety_identifier", "s0"},
                                {"prompt_cache_key", "s0"}};
constexpr Member kMessage[] = {{"id", "s"}, {"status", "s"}, {"role", "s"}, {"content", "a"}};
constexpr Member kCall[] = {
    {"id", "s"}, {"call_id", "s"}, {"name", "s"}, {"arguments", "s"}, {"status", "s"}};
constexpr Member kReasoning[] = {{"id", "s"}, {"summary", "a"}, {"content", "a"}};
constexpr Member kTextPart[] = {
    {"type", "s"}, {"text", "s"}, {"annotations", "a"}, {"logprobs", "a"}};
constexpr Member kTool[] = {
    {"type", "s"}, {"name", "s"}, {"description", "s0"}, {"parameters", "o0"}, {"strict", "b0"}};
constexpr Member kUsage[] = {{"input_tokens", "i"},
                             {"output_tokens", "i"},
                             {"total_tokens", "i"},
                             {"input_tokens_details", "o"},
                             {"output_tokens_details", "o"}};

void expect_item(const json::value& item) {
  const auto& type = item.at("type");
  if (type == "function_call") return expect_members(item, kCall, "call");
  if (type == "reasoning") return expect_members(item, kReasoning, "reasoning");
  EXPECT_EQ(type, "message");
  expect_members(item, kMessage, "message");
  for (const json::value& part : item.at("content").as_array()) {
    expect_members(part, kTextPart, "part");
  }
}

void expect_resource(const json::value& response) {
  expect_members(response, kResource, "response");
  EXPECT_EQ(response.at("object"), "response");
  for (const json::value& item : response.at("output").as_array()) expect_item(item);
  for (const json::value& tool : response.at("tools").as_array()) {
    expect_members(tool, kTool, "tool");
  }
  if (response.at("usage").is_object()) expect_members(response.at("usage"), kUsage, "usage");
}

constexpr Member kItemEvent[] = {{"output_index", "i"}, {"item", "o"}};
constexpr Member kPartEvent[] = {
    {"item_id", "s"}, {"output_index", "i"}, {"content_index", "i"}, {"part", "o"}};
constexpr Member kTextDelta[] = {{"item_id", "s"},
                                 {"output_index", "i"},
                                 {"content_index", "i"},
                                 {"delta", "s"},
                                 {"logprobs", "a"}};
constexpr Member kTextDone[] = {{"item_id", "s"},
                                {"output_index", "i"},
                                {"content_index", "i"},
                                {"text", "s"},
                                {"logprobs", "a"}};
constexpr Member kReasoningDelta[] = {
    {"item_id", "s"}, {"output_index", "i"}, {"content_index", "i"}, {"delta", "s"}};
constexpr Member kReasoningDone[] = {
    {"item_id", "s"}, {"output_index", "i"}, {"content_index", "i"}, {"text", "s"}};
constexpr Member kCallDelta[] = {{"item_id", "s"}, {"output_index", "i"}, {"delta", "s"}};
constexpr Member kCallDone[] = {{"item_id", "s"}, {"output_index", "i"}, {"arguments", "s"}};
constexpr Member kLifecycle[] = {{"response", "o"}};

const std::map<std::string, std::span<const Member>> kEvents{
    {"response.created", kLifecycle},
    {"response.in_progress", kLifecycle},
    {"response.completed", kLifecycle},
    {"response.output_item.added", kItemEvent},
    {"response.output_item.done", kItemEvent},
    {"response.content_part.added", kPartEvent},
    {"response.content_part.done", kPartEvent},
    {"response.output_text.delta", kTextDelta},
    {"response.output_text.done", kTextDone},
    {"response.reasoning_text.delta", kReasoningDelta},
    {"response.reasoning_text.done", kReasoningDone},
    {"response.function_call_arguments.delta", kCallDelta},
    {"response.function_call_arguments.done", kCallDone}};

class Conformance : public Served {
 protected:
  // Asked whole and streamed; the events are checked, and that both ways say the same.
  json::value checked(const std::string& fields) const {
    const auto whole = ask(fields);
    expect_resource(whole);
    EXPECT_EQ(whole.at("status"), "completed");
    EXPECT_FALSE(whole.at("output").as_array().empty());
    const auto events = stream(fields);
    for (size_t i = 0; i < events.size(); ++i) {
      const auto known = kEvents.find(events[i].name);
      if (known == kEvents.end()) {
        ADD_FAILURE() << events[i].name;
        continue;
      }
      EXPECT_EQ(events[i].data.at("sequence_number"), i);
      expect_members(events[i].data, known->second, events[i].name);
      if (const auto* item = events[i].data.if_contains("item")) expect_item(*item);
      if (const auto* response = events[i].data.if_contains("response")) {
        expect_resource(*response);
      }
    }
    const auto& last = events.back().data.at("response");
    EXPECT_EQ(last.at("status"), "completed");
    EXPECT_EQ(text_of(last), text_of(whole));
    return whole;
  }

  static bool has_item(const json::value& response, std::string_view type) {
    return std::ranges::any_of(response.at("output").as_array(), [&](const json::value& item) {
      return item.at("type") == json::string(type);
    });
  }
};

TEST_F(Conformance, ASimpleMessage) {
  checked(R"("input":[{"type":"message","role":"user","content":"Say hello in 3 words."}])");
}

TEST_F(Conformance, ASystemMessageInTheInput) {
  checked(R"("input":[{"type":"message","role":"system","content":"You are a pirate."},)"
          R"({"type":"message","role":"user","content":"Say hello."}])");
}

TEST_F(Conformance, AToolIsCalled) {
  const auto made =
      checked(R"("input":[{"type":"message","role":"user","content":"What is the weather?"}],)"
              R"("tools":[{"type":"function","name":"get_weather","description":"The weather",)"
              R"("parameters":{"type":"object","properties":{"location":{"type":"string"}},)"
              R"("required":["location"]}}])");
  EXPECT_TRUE(has_item(made, "function_call"));
  EXPECT_TRUE(has_item(made, "reasoning"));
}

TEST_F(Conformance, SeveralTurnsInOneInput) {
  const auto made =
      checked(R"("input":[{"type":"message","role":"user","content":"My name is Alice."},)"
              R"({"type":"message","role":"assistant","content":"Hello Alice!"},)"
              R"({"type":"message","role":"user","content":"What is my name?"}])");
  EXPECT_EQ(text_of(made), "What is my name?");
}

// The suite asks what an image shows; no model here sees.
TEST_F(Conformance, AnImageIsRefusedAndSaysWhy) {
  const auto reply =
      call("POST", "/v1/responses",
           R"({"model":"demo","input":[{"type":"message","role":"user","content":[)"
           R"({"type":"input_text","text":"What is this?"},)"
           R"({"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]})");
  EXPECT_EQ(reply.status, 501);
  EXPECT_NE(reply.body.find("input[0].content[1].type"), std::string::npos) << reply.body;
}

}  // namespace
}  // namespace strata::api::responses
