#include "inference/constraint/ebnf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/constraint/grammar.h"

namespace strata::inference {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<Grammar> of(OutputRule::Kind kind, std::string text) {
  OutputRule rule;
  rule.kind = kind;
  rule.text = std::move(text);
  return compile(rule);
}

bool accepts(Grammar& grammar, std::string_view text) {
  grammar.expressions.allow(1'000'000);
  ExprId place = grammar.start;
  for (const char c : text) place = grammar.expressions.derivative(place, static_cast<uint8_t>(c));
  return grammar.expressions.nullable(place);
}

struct Case {
  OutputRule::Kind kind;
  const char* grammar;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

constexpr auto kGbnf = OutputRule::Kind::gbnf;
constexpr auto kLark = OutputRule::Kind::lark;

TEST(Ebnf, MatchesWhatItsRulesSay) {
  const std::vector<Case> cases{
      {kGbnf,
       "root ::= \"a\" b* # comment\nb ::= [0-9]{2} | \"\\x41\"",
       {"a", "a12A"},
       {"a1", "b"}},
      {kGbnf, "root ::= (\n \"x\" |\n \"y\" )+", {"x", "xyx"}, {"", "z"}},
      {kGbnf,
       "root ::= e\ne ::= e \"+\" t | t\nt ::= [0-9]+ | \"(\" e \")\"",
       {"1", "1+2+3", "(1+2)+3"},
       {"1+", "+1", "(1"}},
      {kGbnf,
       "root ::= a | b\na ::= b \"x\" | \"1\"\nb ::= a \"y\" | \"2\"",
       {"1", "2", "1y", "2x", "1yx", "2xyxy"},
       {"1x", "2y", ""}},
      {kGbnf, "root ::= [^\"\\\\\\n]+", {"é", "ab"}, {"\"", "a\n"}},
      {kGbnf, "root ::= \"(\" root \")\" | \"\"", {"", "(())"}, {"(()"}},
      {kLark, "start: \"a\" b ~ 2..3\nb: B | \"c\"i\nB: /[x-z]+/", {"axy", "aCxc"}, {"ax1"}},
      {kLark,
       "?start: sum\n?sum: product\n    | sum \"+\" product -> add\n?product: atom\n"
       "    | product \"*\" atom\n?atom: NUMBER | \"(\" sum \")\"\n"
       "%import common.NUMBER\n%import common.WS\n%ignore WS\n",
       {"1", "1 + 2*3", " ( 1+2 ) * 4 "},
       {"1 +", "1 2)"}},
      {kLark,
       "start: \"<tool>\" call \"</tool>\"\ncall: %json {\"type\":\"object\",\"properties\":"
       "{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"],\"additionalProperties\":false}",
       {"<tool>{\"n\": 1}</tool>"},
       {"<tool>{}</tool>", "<tool>{\"n\":1}"}},
      {kLark, "start: <|call|> /[a-z\\/]+/ [\"!\"]", {"<|call|>a/b", "\xff<|call|>x!"}, {"a"}},
      {kLark, "start: \"a\"..\"c\" T*\nT: \"0\"..\"9\" | \"-\" U\nU: /x/i", {"b1-X"}, {"d", "a-"}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.grammar);
    const auto grammar = of(one.kind, one.grammar);
    for (const std::string& text : one.good) EXPECT_TRUE(accepts(*grammar, text)) << text;
    for (const std::string& text : one.bad) EXPECT_FALSE(accepts(*grammar, text)) << text;
  }
}

// Each rule begins with itself, and with the next two, which do not begin with it.
TEST(Ebnf, ManyRulesMayEachBeginWithThemselves) {
  constexpr int kRules = 900;
  std::string text = "root ::= r0\n";
  for (int i = 0; i < kRules; ++i) {
    text += fmt::format("r{} ::= r{} \"a\" | r{} | r{} \"b\" | \"c\"\n", i, i, i + 1, i + 2);
  }
  text += fmt::format("r{} ::= \"x\"\nr{} ::= \"y\"", kRules, kRules + 1);
  const auto grammar = of(kGbnf, text);
  for (const char* good : {"c", "x", "caa", "xbab", "yb"}) EXPECT_TRUE(accepts(*grammar, good));
  for (const char* bad : {"", "y", "ca ", "bc"}) EXPECT_FALSE(accepts(*grammar, bad));
}

std::string refusal_of(OutputRule::Kind kind, std::string text) {
  try {
    of(kind, std::move(text));
  } catch (const Error& error) {
    return std::string(error.message());
  }
  return "none";
}

// Terminals each of which is the next, in so many brackets.
std::string chain_of_terminals(int n, size_t brackets) {
  std::string text = "start: A0\n";
  for (int i = 0; i < n; ++i) {
    text += fmt::format("A{}: ", i);
    for (size_t k = 0; k < brackets; ++k) text += "\"x\" (";
    text += fmt::format("A{}{}\n", i + 1, std::string(brackets, ')'));
  }
  return text + fmt::format("A{}: \"y\"", n);
}

TEST(Ebnf, WhatWouldFillTheStackIsRefused) {
  const std::string many(100'000, '+');
  for (const auto& [kind, begin] : {std::pair(kGbnf, "root ::= \"a\""), {kLark, "start: \"a\""}}) {
    EXPECT_THAT(refusal_of(kind, begin + many), HasSubstr("a repetition of a repetition"));
  }
  EXPECT_THAT(refusal_of(kLark, chain_of_terminals(60'000, 0)),
              HasSubstr("60001 terminals, the limit is"));
  EXPECT_THAT(refusal_of(kLark, chain_of_terminals(1500, 100)),
              HasSubstr("too many terminals in terminals"));
  EXPECT_TRUE(accepts(*of(kLark, chain_of_terminals(1500, 0)), "y"));
  EXPECT_TRUE(accepts(*of(kLark, chain_of_terminals(2, 60)), std::string(120, 'x') + 'y'));
}

TEST(Ebnf, IsRefusedWhereItCannotBeHonoured) {
  const std::vector<std::pair<OutputRule::Kind, const char*>> cases{
      {kGbnf, ""},
      {kGbnf, "root ::= missing"},
      {kGbnf, "root ::= \"a"},
      {kGbnf, "root ::= (\"a\""},
      {kGbnf, "root ::= \"a\"\nroot ::= \"b\""},
      {kGbnf, "root ::= root \"a\""},
      {kGbnf, "root ::= \"a\"{3,1}"},
      {kGbnf, "root ::= \"a\"+ *"},
      {kGbnf, "root ::= \"a\"{2}?"},
      {kGbnf, "root ::= n root \"a\" | \"b\"\nn ::= \"x\"?"},
      {kGbnf, "root ::= <[1000]>"},
      {kLark, "start: A\nA: A \"x\" | \"y\""},
      {kLark, "start: \"a\"*+"},
      {kLark, "start: \"a\" ~ 2 ~ 3"},
      {kLark, "start: a{b}"},
      {kLark, "start: /(?=a)/"},
      {kLark, "start: %json {\"type\":\"nothing\"}"},
      {kLark, "begin: \"a\""},
      {kLark, "start: \"a\"\n%declare X"},
      {kLark, "start: \"a\"\n%import python.NAME"},
  };
  for (const auto& [kind, text] : cases) {
    try {
      of(kind, text);
      ADD_FAILURE() << text << " was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid_argument) << text;
    }
  }
}

}  // namespace
}  // namespace strata::inference
