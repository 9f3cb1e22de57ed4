// What the formats of calls ask of a model: answers as they are written hold, others do not.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/registry.h"
#include "inference/constraint/constraint.h"
#include "inference/constraint/grammar.h"
#include "inference/testing/byte_tokenizer.h"
#include "models/chat/output/output_format.h"
#include "models/chat/output/testing/read_output.h"

namespace strata::inference {
namespace {

struct Case {
  const char* format;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

// \xff is what stands in front of a control token.
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"tool_call-json",
       {"Hm.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 12}}\n</tool_call> more "
        "<tool_call>"
        "[{\"name\":\"g\",\"arguments\":{}}]\xff</tool_call>"},
       {"<tool_call>{\"name\": \"h\"", "<tool_call>{\"arguments\"", "<tool_call>x",
        "<tool_call>{\"name\": \"f\", \"arguments\": {}",
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"",
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}} and"}},
      {"start_action",
       {"\xff<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": "
        "{\"a\": 1}}]"
        "\xff<|END_ACTION|>"},
       {"<|START_ACTION|>[{\"name\""}},
      {"functools",
       {"functools[{\"name\": \"f\", \"arguments\": {\"a\": 1}}] end"},
       {"functools x"}},
      {"python_tag",
       {"<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "{\"any\": 1}",
        "\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
        "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"a\": 1}}; "
        "{\"name\": \"g\", \"parameters\": {}}",
        "{\"name\": \"Ada\", \"parameters\": 1}", "{\"name\": \"f\\u0066\"}",
        "Say {\"name\": \"f\", \"parameters\": 1}"},
       {"<|python_tag|>print", "{\"name\": \"f\", \"parameters\": {\"b\"", "{\"name\":\"f\"}",
        "{\"name\": \"f\", \"parameters\": {\"a\": 1}} and",
        "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"a\": \"",
        "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}} and",
        "{\"name\": \"f\", \"parameters\": {\"a\": 1}}; {\"name\": \"f\", \"parameters\": {\"b\""}},
      {"python-calls",
       {"[f(a=1), g()]", "\xff<|tool_call_start|>[p(s=\"it's\", n=-3)]\xff<|tool_call_end|> so",
        "[p(e='red', s='a \\'b\\'\\n')]", "[g(x={'a': [True, None, 1.5]}, y='q')]",
        "[g(x={\"a\": False})]", "[1, 2]", "[h(a=1)]", "See [f(b=1)]", "[f]"},
       {"[f()", "[f(a=1.5", "[f(b=", "[f(a=1)] and", "[f(a=1)][", "<|tool_call_start|>[h(",
        "[p(e='green'", "[p(n=1)", "[p(s=\"x\", s=", "[g(x=true", "[p(s=\"x\", e='red'",
        "<|tool_call_start|>f("}},
      {"brace-calls",
       {"Hm. \xff<|tool_call>call:p{s:\xff<|\"|>say \"no\"\n\xff<|\"|>,n:3}\xff<tool_call|>\n"
        "<|tool_call>call:f{a: 1}<tool_call|> so",
        "<|tool_call>call:g{x:{y:[true,null,<|\"|><|<|\"|>]}}<tool_call|>",
        "<|tool_call>call:p{e:<|\"|>red<|\"|>,s:<|\"|><|\"|>}<tool_call|>"},
       {"<|tool_call>call:h", "<|tool_call>f{", "<|tool_call>call:f{a:1.", "<|tool_call>call:f{}",
        "<|tool_call>call:f{\"a\"", "<|tool_call>call:p{e:<|\"|>g", "<|tool_call>call:p{s:1",
        "<|tool_call>call:f{a:1}x"}},
      {"brace-calls-words",
       {"<start_function_call>call:p{s:<escape>x<escape>}<end_function_call>"},
       {"<start_function_call>call:p{s:<|\"|>"}},
      {"function-json",
       {"<function=f>{\"a\": 1}</function><function=g>{}</function>"},
       {"<function=h",
        "<function=f>{\"a\": 1} "
        "no",
        "<function=f>x"}},
      {"bracket-args",
       {"\xff[TOOL_CALLS]f\xff[ARGS]{\"a\": 1}\xff[TOOL_CALLS]g[CALL_ID]abc123XYZ[ARGS]{}",
        "[TOOL_CALLS][{\"name\": \"g\", \"arguments\": {}}]"},
       {"[TOOL_CALLS]h", "[TOOL_CALLS]f[ARGS]{\"b\""}},
      {"tool_sep-envelope",
       {"\xff<｜tool▁calls▁begin｜>\xff<｜tool▁call▁begin｜>f\xff<｜tool▁sep｜>{\"a\": 1}"
        "\xff<｜tool▁call▁end｜>\xff<｜tool▁calls▁end｜> more",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
        "1}\n```<｜tool▁call▁end｜>"},
       {"<｜tool▁calls▁begin｜>f", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"b\"",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"b\""}},
      {"call_tokens",
       {"<|tool_call:begin|>id1<|tool_call:name|>f<|tool_call:args|>{\"a\": 1}<|tool_call:end|>"},
       {"<|tool_call:begin|>id1<|tool_call:name|>h"}},
      {"tool_calls_section",
       {"\xff<|tool_calls_section_begin|>\xff<|tool_call_begin|>functions.f:0\xff<|tool_call_"
        "argument_begin|>"
        "{\"a\": "
        "1}\xff<|tool_call_end|>\xff<|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{}"
        "<|tool_call_end|><|tool_calls_section_end|>"},
       {"<|tool_call_begin|>functions.h", "<|tool_call_begin|>f:0"}},
      {"tools_prefix",
       {"<|tools_prefix|>[{\"f\": {\"a\": 1}}, {\"g\": {}}]<|tools_suffix|>"},
       {"<|tools_prefix|>[{\"h\"",
        "<|tools_prefix|>[{\"f\": {\"a\": 1}}] "
        "x"}},
      {"tool_call-function",
       {"<tool_call>\n<function=p>\n<parameter=n>\n3\n</parameter>\n<parameter=s>\na <b>\n</x\n"
        "</parameter>\n</function>\n</tool_call>",
        "<function=p><parameter=s>\n\n</parameter><parameter=e>\nred\n</parameter></function>",
        "<tool_call><function=g><parameter=any>\nthing\n</parameter></function></tool_call>"},
       {"<function=h", "<function=p></function>", "<function=p><parameter=x",
        "<function=p><parameter=n>\nthree",
        "<function=p><parameter=s>\nx\n</parameter><parameter=s>",
        "<function=p><parameter=e>\ngreen"}},
      {"arg_key",
       {"<tool_call>p\n<arg_key>s</arg_key>\n<arg_value>x</arg_value>\n<arg_key>n</arg_key>"
        "<arg_value>12</arg_value></tool_call>"},
       {"<tool_call>h", "<tool_call>p<arg_key>n</arg_key><arg_value>x"}},
      {"dsml",
       {"<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"p\">\n<｜DSML｜parameter name=\"s\" "
        "string=\"true\">x</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>"},
       {"<｜DSML｜invoke name=\"p\"><｜DSML｜parameter name=\"n\" string=\"true\"",
        "<｜DSML｜invoke name=\"p\"><｜DSML｜parameter name=\"s\" string=\"false\""}},
      {"channels",
       {"\xff<|channel|>commentary to=functions.f \xff<|constrain|>json\xff<|message|>{\"a\": 1}",
        "<|start|>assistant to=functions.g<|channel|>commentary json<|message|>{}",
        "<|channel|>final<|message|>to=functions.x"},
       {"<|channel|>commentary to=functions.h",
        "<|channel|>commentary to=functions.f<|message|>{\"b\""}},
  };
  return all;
}

models::ToolSet tools_of_tests() {
  const json::value tools = parse_json(
      R"([{"function": {"name": "f", "parameters": {"type": "object", "properties":
          {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}}},
          {"function": {"name": "g", "parameters": {"type": "object"}}},
          {"function": {"name": "p", "parameters": {"type": "object", "required": ["s"],
            "additionalProperties": false,
            "properties": {"s": {"type": "string"}, "n": {"$ref": "#/$defs/n"},
              "e": {"enum": ["red", "blue"]}}, "$defs": {"n": {"type": "integer"}}}}}])");
  return {tools.as_array(), {}};
}

const models::OutputFormat& format_of(std::string_view name) {
  for (const auto& format : Registry<models::OutputFormat>::all()) {
    if (format->name() == name) return *format;
  }
  throw Error(Code::internal, "no such format");
}

std::vector<OutputTrigger> triggers_of(const models::OutputFormat& format) {
  std::vector<OutputTrigger> triggers;
  for (auto& call : format.call_triggers(tools_of_tests())) {
    triggers.push_back({.begin = call.begin,
                        .rule = {.kind = OutputRule::Kind::lark, .text = std::move(call.lark)},
                        .bare = call.bare,
                        .last = call.last});
  }
  return triggers;
}

std::shared_ptr<Matcher> matcher_of(std::string_view name) {
  static const auto trie = [] {
    const testing::ByteTokenizer tokenizer;
    return std::make_shared<const TokenTrie>(tokenizer, tokenizer.n_vocab());
  }();
  return std::make_shared<Matcher>(compile(triggers_of(format_of(name))), trie);
}

bool accepts(const std::shared_ptr<Matcher>& matcher, const std::string& text) {
  Constraint constraint(matcher);
  for (const char c : text) {
    if (!constraint.accept(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

TEST(CallRules, KeepCallsToNamesAndSchemas) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.format);
    const auto matcher = matcher_of(one.format);
    for (const std::string& text : one.good) {
      EXPECT_TRUE(accepts(matcher, text)) << text;
      Constraint constraint(matcher);
      for (const char c : text) constraint.accept(static_cast<unsigned char>(c));
      EXPECT_TRUE(constraint.may_end()) << text;
    }
    for (const std::string& text : one.bad) EXPECT_FALSE(accepts(matcher, text)) << text;
  }
}

// Pieces that end what is open.
const std::vector<std::string>& closers() {
  static const std::vector<std::string> all{"\"",           "'",       "}", ")", "]", "<|\"|>",
                                            "<tool_call|>", "<escape>"};
  return all;
}

// An answer that has to call, of a model that wants anything; until it may end.
std::string random_answer(std::string_view format, std::mt19937& random) {
  const testing::ByteTokenizer tokenizer(closers());
  const auto trie = std::make_shared<const TokenTrie>(tokenizer, tokenizer.n_vocab());
  const OutputFrame frame{.calls_only = true};
  Constraint constraint(
      std::make_shared<Matcher>(compile({}, triggers_of(format_of(format)), frame), trie));
  std::string text;
  while (!constraint.may_end() && text.size() < 20'000) {
    const auto mask = constraint.mask();
    std::vector<int32_t> allowed, closing;
    for (int32_t id = 0; id < tokenizer.n_vocab(); ++id) {
      // The byte that stands for a control token is none of a text.
      if (!mask->has(id) || id == 0xFF) continue;
      allowed.push_back(id);
      const auto& all = closers();
      if (std::ranges::find(all, tokenizer.piece(id, false)) != all.end()) closing.push_back(id);
    }
    // Mostly, so that it comes to an end.
    if (!closing.empty() && random() % 4 != 0) allowed = closing;
    if (allowed.empty()) return text + " (nothing may follow)";
    const int32_t id = allowed[random() % allowed.size()];
    text += tokenizer.piece(id, false);
    EXPECT_TRUE(constraint.accept(id));
  }
  EXPECT_TRUE(constraint.may_end()) << text;
  return text;
}

bool fits(const json::value& schema, std::string_view text) {
  const auto grammar = compile({.kind = OutputRule::Kind::json_schema, .schema = schema});
  Expressions& x = grammar->expressions;
  x.allow(4'000'000);
  ExprId place = grammar->start;
  for (const char c : text) place = x.derivative(place, static_cast<uint8_t>(c));
  return x.nullable(place);
}

TEST(CallRules, WhateverAModelWritesThatHasToCallIsReadAsCallsThatFit) {
  std::mt19937 random(7);
  const models::ToolSet tools = tools_of_tests();
  for (const char* format :
       {"tool_call-json", "python_tag", "python-calls", "brace-calls", "brace-calls-words"}) {
    for (int i = 0; i < 40; ++i) {
      const std::string text = random_answer(format, random);
      SCOPED_TRACE(format + (": " + text));
      const auto read =
          models::testing::read_output({.format = &format_of(format), .tools = tools}, text);
      ASSERT_FALSE(read.calls.empty());
      EXPECT_EQ(read.content, "");
      for (const models::ToolCall& call : read.calls) {
        ASSERT_NE(tools.find(call.name), nullptr) << call.name;
        EXPECT_TRUE(fits(tools.find(call.name)->parameters, call.arguments)) << call.arguments;
      }
    }
  }
}

}  // namespace
}  // namespace strata::inference
