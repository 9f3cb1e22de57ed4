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

// What is told of a text in pieces only grows, and ends as the whole: cut at every byte, and at the
// places that a seed draws.
ReadOutput read_in_fragments(OutputOptions options, std::string_view text, uint64_t seed = 1) {
  options.fragments = true;
  const ReadOutput whole = read_output(options, text);
  std::vector<size_t> all;
  std::vector<size_t> some;
  for (size_t at = 1; at < text.size(); ++at) {
    all.push_back(at);
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if ((seed >> 33) % 5 == 0) some.push_back(at);
    EXPECT_EQ(read_output(options, text, {at}), whole) << "cut at " << at << " of " << text;
  }
  EXPECT_EQ(read_output(options, text, some), whole) << text;
  ReadOutput bytes = read_output(options, text, all);
  EXPECT_EQ(bytes, whole) << text;
  return bytes;
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
  EXPECT_EQ(
      read_output(options, "{\"type\": \"function\", \"name\": \"get_weather\"}").calls.size(), 1u);
  for (const char* text : {"{\"name\": \"Ann\", \"parameters\": {}}", "{\"a\": [1, 2", "{}",
                           "{\"parameters\": {}, \"name\": \"get_weather\"}",
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

// Answers of the formats whose arguments are JSON, as their rules let a model write them.
struct Written {
  const char* marks;
  const char* answer;
};
constexpr Written kInJson[] = {
    {"<tool_call>",
     "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"\xC3\x85s\", \"days\": "
     "12}}"
     "</tool_call>"},
    {"<tool_calls>",
     "<tool_calls>[{\"name\":\"get_weather\",\"arguments\":{\"city\": \"\\\"]}\"}}, {\"name\": "
     "\"get_weather\", \"arguments\": {}}]</tool_calls>"},
    {"<|START_ACTION|>",
     "<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": "
     "{\"days\": -3}}]<|END_ACTION|>"},
    {"[TOOL_CALLS][ARGS]", "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}"},
    {"<function=</function>", "<function=get_weather>{\"places\": [{\"a\": []}]}</function>"},
    {"<|tools_prefix|>",
     "<|tools_prefix|>[{\"get_weather\": {\"city\": \"Rome\"}}]<|tools_suffix|>"},
    {"<|tool_call_begin|>",
     "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
     "<|tool_call_argument_begin|>{\"days\": 1}<|tool_call_end|><|tool_calls_section_end|>"},
};

TEST(OutputParser, FragmentsOfArgumentsComeWhileTheyAreWrittenAndJoinToTheWhole) {
  for (const auto& [marks, answer] : kInJson) {
    SCOPED_TRACE(answer);
    const OutputOptions options = options_of(marks);
    const auto whole = read_every_way(options, answer);
    const auto read = read_in_fragments(options, answer);
    EXPECT_EQ(read, whole);
    EXPECT_FALSE(read.calls.empty());
    EXPECT_EQ(read.n_ended, read.calls.size());
    EXPECT_GT(read.n_pieces, read.calls.size() + 3) << "they came whole";
    EXPECT_EQ(whole.n_pieces, whole.calls.size());
  }
}

TEST(OutputParser, ACallInFragmentsThatIsCutOffHasTheArgumentsThatWereWritten) {
  for (const auto& [marks, answer] : kInJson) {
    const std::string_view text = answer;
    const std::string arguments = read_output(options_of(marks), text).calls[0].arguments;
    for (size_t n = 1; n < text.size(); ++n) {
      if ((static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) continue;
      const auto read = read_in_fragments(options_of(marks), text.substr(0, n), n);
      // Either nothing of it was told, and the text is content, or the text is a call's.
      EXPECT_EQ(read.content, read.calls.empty() ? text.substr(0, n) : "");
      if (read.calls.empty()) continue;
      EXPECT_TRUE(arguments.starts_with(read.calls[0].arguments)) << read.calls[0].arguments;
      EXPECT_EQ(read.calls[0].name, "get_weather");
      EXPECT_EQ(read.n_ended, read.calls.size());
    }
  }
}

// What comes of a text that is cut off at its end, wherever it was cut into pieces.
ReadOutput read_cut_off(const OutputOptions& options, std::string_view text) {
  ReadOutput whole = read_output(options, text, {}, true);
  for (size_t at = 1; at < text.size(); ++at) {
    EXPECT_EQ(read_output(options, text, {at}, true), whole) << "cut at " << at << " of " << text;
  }
  return whole;
}

TEST(OutputParser, NothingOfACallThatIsCutOffIsContent) {
  for (const auto& [marks, answer] : kInJson) {
    const std::string before = "I look. ";
    const std::string text = before + answer;
    const auto triggers = find_output_format(marks)->triggers();
    const auto begins = [&](const std::string& beginning) {
      return std::any_of(triggers.begin(), triggers.end(), [&](const std::string& trigger) {
        return beginning.find(trigger) != std::string::npos;
      });
    };
    for (size_t n = before.size() + 1; n < text.size(); ++n) {
      const std::string beginning = text.substr(0, n);
      OutputOptions options = options_of(marks);
      for (const bool fragments : {false, true}) {
        options.fragments = fragments;
        options.calls_only = false;
        const auto read = read_cut_off(options, beginning);
        EXPECT_EQ(read.content, begins(beginning) ? "I look." : beginning);
        options.calls_only = true;
        EXPECT_EQ(read_cut_off(options, beginning.substr(before.size())).content, "");
      }
    }
  }
}

TEST(OutputParser, OfATextThatIsCutOffOnlyWhatHasBegunAsACallFalls) {
  const OutputOptions bare = options_of("<|python_tag|>");
  EXPECT_EQ(read_cut_off(bare, "{\"name\": \"get_weather\", \"para").content, "");
  const OutputOptions python = options_of("<|tool_call_start|>");
  EXPECT_EQ(read_cut_off(python, "[get_weather(ci").content, "");
  const OutputOptions tags = options_of(kJsonInTags);
  const std::string call = "<tool_call>{\"name\": \"get_weather\", \"arguments\": {}}</tool_call>";
  const auto second = read_cut_off(tags, call + "\n<tool_call>{\"na");
  EXPECT_EQ(second.content, "");
  EXPECT_EQ(second.calls.size(), 1u);
  const OutputOptions params = options_of(kParameters);
  EXPECT_EQ(read_cut_off(params, "<tool_call>\n<function=get_weather>\n<param").content, "");
  for (const auto& [options, text] : std::vector<std::pair<OutputOptions, std::string>>{
           {bare, "{\"a\": [1, 2"},
           {bare, "{\"name\": \"Ann"},
           {python, "[1, 2"},
           {tags, "1 < 2 <tool"},
           {tags, "<tool_call>{oops}</tool_call>"}}) {
    EXPECT_EQ(read_cut_off(options, text).content, text);
  }
}

TEST(OutputParser, ACallOnAChannelThatIsCutOffHasTheArgumentsThatWereWritten) {
  OutputOptions options = options_of("<|channel|>analysis<|message|>");
  const std::string header = "<|channel|>commentary to=functions.get_weather <|message|>";
  for (const std::string arguments : {"", "{", "{\"city\": \"Os"}) {
    options.fragments = false;
    const auto none = read_cut_off(options, header + arguments);
    EXPECT_TRUE(none.content.empty() && none.calls.empty());
    options.fragments = true;
    const auto read = read_cut_off(options, header + arguments);
    EXPECT_EQ(read.content, "");
    ASSERT_EQ(read.calls.size(), 1u);
    EXPECT_EQ(read.calls[0].name, "get_weather");
    EXPECT_EQ(read.calls[0].arguments, arguments);
  }
}

TEST(OutputParser, ACallInFragmentsThatBreaksKeepsWhatWasToldAndTheRestIsContent) {
  const OutputOptions options = options_of(kJsonInTags);
  const std::string begin = "<tool_call>{\"name\": \"get_weather\", \"arguments\": ";
  for (const auto& [behind, arguments, content] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"{\"city\": ]} x", "{\"city\": ", "]} x"},
           {"{\"city\": oops}}</tool_call>", "{\"city\": oops", "}}</tool_call>"},
           {std::string("{\"a\": ") + std::string(kMaxCallDepth, '['),
            "{\"a\": " + std::string(kMaxCallDepth - 1, '['), "["}}) {
    const auto read = read_in_fragments(options, begin + behind);
    ASSERT_EQ(read.calls.size(), 1u) << behind;
    EXPECT_EQ(read.calls[0].arguments, arguments);
    EXPECT_EQ(read.content, content);
    EXPECT_EQ(read.n_ended, 1u);
  }
  // Of a tool that was not offered, and in another order than the rule's, nothing is told early.
  for (const char* text :
       {"<tool_call>{\"name\": \"other\", \"arguments\": {\"city\": \"Os",
        "<tool_call>{\"arguments\": {\"city\": \"Oslo\"}, \"name\": \"get_weather\"",
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{"}) {
    EXPECT_EQ(read_in_fragments(options, text).content, text);
  }
}

TEST(OutputParser, WhatComesInFragmentsDependsOnTheTextAloneWhateverItIs) {
  uint64_t seed = 5;
  const auto draw = [&](size_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(seed >> 33) % n;
  };
  for (const auto& [marks, answer] : kInJson) {
    for (int i = 0; i < 40; ++i) {
      std::string text = std::string(answer) + (i % 3 == 0 ? answer : " ");
      for (size_t n = 1 + draw(3); n > 0; --n) {
        const size_t at = draw(text.size());
        if (i % 2 == 0) {
          text[at] = "{}[]\",: x\\"[draw(10)];
        } else {
          text.erase(at, 1 + draw(4));
        }
      }
      read_in_fragments(options_of(marks), text, seed);
    }
  }
}

TEST(OutputParser, ACallInFragmentsThatIsTooLargeEndsAtTheLimit) {
  OutputOptions options = options_of(kJsonInTags);
  options.fragments = true;
  const std::string begin = "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"";
  const std::string large = begin + std::string(kMaxCallBytes, 'x');
  const auto whole = read_output(options, large);
  EXPECT_EQ(read_output(options, large, {kMaxCallBytes - 1, kMaxCallBytes + 3}), whole);
  ASSERT_EQ(whole.calls.size(), 1u);
  EXPECT_EQ(whole.calls[0].arguments.size() + whole.content.size(),
            large.size() - begin.find("{\"city"));
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
