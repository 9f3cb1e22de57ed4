// Answers taken apart: by hand-written answers, cut at every byte.
#include "models/chat/output/output_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/registry.h"
#include "core/utf8.h"
#include "models/chat/output/limits.h"
#include "models/chat/output/testing/read_output.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;
using testing::read_output;
using testing::ReadOutput;

const json::array& weather_tools() {
  static const json::array tools = parse_json(R"([{"type": "function", "function": {
      "name": "get_weather", "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}, "exact": {"type": "boolean"},
        "zip": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "factor": {"$ref": "#/$defs/f"},
        "places": {"type": "array"}}, "$defs": {"f": {"type": "number"}}}}}])")
                                       .as_array();
  return tools;
}

OutputOptions options_of(std::string_view template_source) {
  return {.format = find_output_format(template_source),
          .think = find_think_tags(template_source, nullptr),
          .tools = ToolSet(weather_tools(), {}),
          .id_seed = 7};
}

// Reads it whole, byte by byte, and cut once at every byte: always the same comes out.
ReadOutput read_every_way(const OutputOptions& options, std::string_view text) {
  ReadOutput whole = read_output(options, text);
  std::vector<size_t> all;
  for (size_t at = 1; at < text.size(); ++at) {
    all.push_back(at);
    EXPECT_EQ(read_output(options, text, {at}), whole) << "cut at " << at << " of " << text;
  }
  EXPECT_EQ(read_output(options, text, all), whole) << text;
  EXPECT_EQ(whole.from_ranges, whole.content);
  EXPECT_TRUE(is_valid_utf8(whole.content) && is_valid_utf8(whole.reasoning));
  for (const ToolCall& call : whole.calls) {
    EXPECT_TRUE(parse_json(call.arguments).is_object()) << call.arguments;
    EXPECT_FALSE(call.id.empty());
  }
  return whole;
}

constexpr std::string_view kJsonInTags = "<think></think> <tool_call>";
constexpr std::string_view kParameters = "<tool_call><function=x><parameter=y>";

TEST(OutputParser, TextBeforeAndBetweenCallsStaysContentAndSpaceAroundThemFalls) {
  const auto read = read_every_way(
      options_of(kJsonInTags),
      "<think>\nHm \xC3\xA9.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"get_weather\", "
      "\"arguments\": {\"city\": \"Troms\xC3\xB8 </tool_call>\"}}\n</tool_call>\nAnd\n"
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"days\": 3}}\n</tool_call>\n");
  EXPECT_EQ(read.reasoning, "Hm \xC3\xA9.");
  EXPECT_EQ(read.content, "I look.And");
  ASSERT_EQ(read.calls.size(), 2u);
  EXPECT_EQ(read.calls[0].arguments, "{\"city\": \"Troms\xC3\xB8 </tool_call>\"}");
  EXPECT_EQ(read.calls[1].arguments, "{\"days\": 3}");
  EXPECT_NE(read.calls[0].id, read.calls[1].id);
  EXPECT_EQ(read.calls[0].id.size(), 9u);
}

TEST(OutputParser, WhatIsNoCallIsContentToTheLastByte) {
  for (const char* text :
       {"<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": }}\n</tool_call> x",
        "<tool_call>\n{\"arguments\": {}}\n</tool_call>", "<tool_call>", "a <tool_call> b",
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Os",
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": [1]}</tool_call>",
        "<tool_call>]</tool_call>", "1 < 2 <tool", "</tool_call>"}) {
    const auto read = read_every_way(options_of(kJsonInTags), text);
    EXPECT_EQ(read.content, text);
    EXPECT_TRUE(read.calls.empty());
  }
}

TEST(OutputParser, ACallBehindABrokenOneIsRead) {
  const auto read = read_every_way(options_of(kJsonInTags),
                                   "<tool_call>{oops}</tool_call>\n<tool_call>{\"name\": "
                                   "\"get_weather\", \"arguments\": {}}</tool_call>");
  EXPECT_EQ(read.content, "<tool_call>{oops}</tool_call>");
  EXPECT_EQ(read.calls.size(), 1u);
}

TEST(OutputParser, WithoutToolsACallIsText) {
  OutputOptions options = options_of(kJsonInTags);
  options.tools = {};
  constexpr std::string_view kCall =
      "<tool_call>{\"name\": \"get_weather\", \"arguments\": {}}</tool_call>";
  EXPECT_EQ(read_every_way(options, kCall).content, kCall);
}

TEST(OutputParser, ReasoningMayBeginOpenMayBeMissingAndMayNeverEnd) {
  OutputOptions options = options_of(kJsonInTags);
  EXPECT_EQ(read_every_way(options, "  Just text <think> here").content,
            "  Just text <think> here");
  EXPECT_EQ(read_every_way(options, "<think>endless\n").reasoning, "endless\n");
  options.state = ThinkState::open;
  const auto open = read_every_way(options, "\nso\n</think>\n\nyes </think> no");
  EXPECT_EQ(open.reasoning, "so");
  EXPECT_EQ(open.content, "yes </think> no");
  options.state = ThinkState::closed;
  EXPECT_EQ(read_every_way(options, "<think>x").content, "<think>x");
}

TEST(OutputParser, TheSchemaSaysWhatUntypedTextBecomes) {
  const auto read = read_every_way(
      options_of(kParameters),
      "<tool_call>\n<function=get_weather>\n<parameter=city>\n123\n</parameter>\n"
      "<parameter=days>\n 7 \n</parameter>\n<parameter=exact>\nTrue\n</parameter>\n"
      "<parameter=zip>\nnull\n</parameter>\n<parameter=factor>\n2.50\n</parameter>\n"
      "<parameter=places>\n[\"a\", {\"b\": 1}]\n</parameter>\n<parameter=other>\nfree\n"
      "text\n</parameter>\n</function>\n</tool_call>");
  ASSERT_EQ(read.calls.size(), 1u);
  EXPECT_EQ(read.calls[0].arguments,
            "{\"city\": \"123\", \"days\": 7, \"exact\": true, \"zip\": null, \"factor\": 2.50, "
            "\"places\": [\"a\", {\"b\": 1}], \"other\": \"free\\ntext\"}");
  const auto odd = read_every_way(
      options_of(kParameters),
      "<function=get_weather>\n<parameter=days>\nmany\n</parameter>\n<parameter=zip>\n0150\n"
      "</parameter>\n</function>");
  ASSERT_EQ(odd.calls.size(), 1u);
  EXPECT_EQ(odd.calls[0].arguments, "{\"days\": \"many\", \"zip\": \"0150\"}");
}

TEST(OutputParser, AnswerInJsonIsACallOnlyOfAToolThatIsOffered) {
  const OutputOptions options = options_of("<|python_tag|>");
  const auto call =
      read_every_way(options, "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}");
  ASSERT_EQ(call.calls.size(), 1u);
  EXPECT_EQ(call.content, "");
  for (const char* text : {"{\"name\": \"Ann\", \"parameters\": {}}", "{\"a\": [1, 2", "{}",
                           "See {\"name\": \"get_weather\", \"parameters\": {}}"}) {
    EXPECT_EQ(read_every_way(options, text).content, text);
  }
}

TEST(OutputParser, IdsThatAModelWritesAreKept) {
  const auto read =
      read_every_way(options_of("[TOOL_CALLS][ARGS]"),
                     "[TOOL_CALLS]get_weather[CALL_ID]Abc123xyz[ARGS]{\"city\": \"Oslo\"}"
                     "[TOOL_CALLS]get_weather[ARGS]{}");
  ASSERT_EQ(read.calls.size(), 2u);
  EXPECT_EQ(read.calls[0].id, "Abc123xyz");
  EXPECT_EQ(read.calls[1].id.size(), 9u);
}

TEST(OutputParser, NestingSizeAndNumberOfCallsHaveLimits) {
  const OutputOptions options = options_of(kJsonInTags);
  const std::string deep = "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"a\": " +
                           std::string(kMaxCallDepth + 1, '[') +
                           std::string(kMaxCallDepth + 1, ']') + "}}</tool_call>";
  EXPECT_EQ(read_output(options, deep).content, deep);
  const std::string large = "<tool_call>{\"name\": \"" + std::string(kMaxCallBytes + 1, 'x');
  EXPECT_EQ(read_output(options, large).content, large);
  std::string many;
  for (size_t i = 0; i < kMaxCallsOfAnswer + 2; ++i) {
    many += "<tool_call>{\"name\": \"get_weather\", \"arguments\": {}}</tool_call>";
  }
  const auto read = read_output(options, many);
  EXPECT_EQ(read.calls.size(), kMaxCallsOfAnswer);
  EXPECT_THAT(read.content, HasSubstr("get_weather"));
}

TEST(ToolSet, ChoicesThatTheToolsDoNotHaveAreRefused) {
  const auto refusal = [](const json::array& tools, const ToolChoice& choice) {
    try {
      ToolSet(tools, choice);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid_argument);
      return error.message();
    }
    return std::string();
  };
  using Mode = ToolChoice::Mode;
  EXPECT_THAT(refusal(weather_tools(), {.mode = Mode::required, .names = {"other"}}),
              HasSubstr("\"other\" is not among the 1 tools"));
  EXPECT_THAT(refusal({}, {.mode = Mode::required}), HasSubstr("has no tools"));
  EXPECT_THAT(refusal(parse_json(R"([{"type": "function", "function": {}}])").as_array(), {}),
              HasSubstr("tools[0]"));
  EXPECT_TRUE(ToolSet(weather_tools(), {.mode = Mode::none}).empty());
}

}  // namespace
}  // namespace strata::models
