#include "inference/constraint/constraint.h"

#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/constraint/json_text.h"
#include "inference/constraint/token_walk.h"
#include "inference/testing/byte_tokenizer.h"

namespace strata::inference {
namespace {

using testing::ByteTokenizer;

OutputRule rule_of(OutputRule::Kind kind, std::string text = {}) {
  OutputRule rule;
  rule.kind = kind;
  rule.text = std::move(text);
  return rule;
}

OutputRule schema_rule(std::string_view schema) {
  OutputRule rule;
  rule.kind = OutputRule::Kind::json_schema;
  rule.schema = parse_json(schema);
  return rule;
}

// So many pieces that what stays inside a string is kept as bits.
const ByteTokenizer& tokenizer() {
  static const ByteTokenizer made([] {
    std::vector<std::string> pieces{
        "{\"",  "\":", "\": ", "\", \"", "\"}",          "\"]",      "ab",   "abc",
        "name", "na",  "\",",  "},",     "12",           "1.",       "true", "tru",
        "  ",   "\n",  "\n  ", "[[",     "]]",           "\xc3\xa9", "\\n",  "\\u00",
        "é\"",  "a\"", "n\":", "<call>", "{\"a\":",      "\"\"",     ": [",  "null}",
        "e1",   "-1",  ", ",   "a",      "x\", \"b\": 1"};
    std::mt19937 random(7);
    const std::vector<std::string> parts{"a", "b", "é", "\"", "\\n", ":", "x", "\\u00e9", "1", ","};
    for (int i = 0; i < 500; ++i) {
      std::string piece;
      for (auto n = 2 + random() % 6; n > 0; --n) piece += parts[random() % parts.size()];
      pieces.push_back(piece);
    }
    // Words, so many that whole branches are chosen at once.
    const std::vector<std::string> letters{"a", "b", "n", "x", "é", "1"};
    for (int i = 0; i < 400; ++i) {
      std::string word;
      for (auto n = 2 + random() % 4; n > 0; --n) word += letters[random() % letters.size()];
      pieces.push_back(word);
    }
    // And longer than a stride is looked for.
    for (int i = 0; i < 60; ++i) {
      std::string word;
      for (auto n = 14 + random() % 6; n > 0; --n) word += letters[random() % letters.size()];
      if (i % 2 == 0) word += parts[random() % parts.size()] + "\"";
      pieces.push_back(word);
    }
    return pieces;
  }());
  return made;
}

std::shared_ptr<const TokenTrie> trie() {
  return std::make_shared<const TokenTrie>(tokenizer(), tokenizer().n_vocab());
}

// Walks through a grammar by random allowed tokens; at each place the mask holds exactly the tokens
// whose bytes the text may go on with.
void check_masks(const std::shared_ptr<Matcher>& matcher, uint32_t seed, int steps = 60) {
  std::mt19937 random(seed);
  ExprId place = matcher->start();
  for (int step = 0; step < steps; ++step) {
    const auto mask = matcher->mask(place);
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < tokenizer().n_vocab(); ++id) {
      const bool fits = matcher->behind(place, id) != Expressions::kNothing;
      ASSERT_EQ(mask->has(id), fits) << "token " << id << " at step " << step;
      if (fits && !tokenizer().ends_generation(id)) allowed.push_back(id);
    }
    if (allowed.empty()) {
      EXPECT_TRUE(matcher->may_end(place));
      return;
    }
    // Structure rather than endless strings.
    std::erase_if(allowed, [&](int32_t id) { return id >= 'b' && id < 256 && random() % 8 != 0; });
    if (allowed.empty()) continue;
    place = matcher->behind(place, allowed[random() % allowed.size()]);
  }
}

TEST(Masks, HoldTheTokensThatTheTextMayGoOnWith) {
  const std::vector<OutputRule> rules{
      rule_of(OutputRule::Kind::json_object),
      rule_of(OutputRule::Kind::regex, "(ab|abc)*[0-9]{2,4}(é|x)?"),
      schema_rule(
          R"({"type":"object","properties":{"name":{"type":"string"},"na":{"enum":["abc",12]},
                      "a":{"type":"array","items":{"type":"number"}}},"required":["name"]})"),
      schema_rule(R"({"type":"object","additionalProperties":false,"properties":{
                      "a":{"type":"string","minLength":2,"maxLength":5},"b":{"type":"integer"}}})"),
      schema_rule(R"({"anyOf":[{"type":"string","pattern":"^(ab|é)+$"},{"type":"array",
                      "items":{"$ref":"#"}}]})"),
      schema_rule(R"({"type":"object","patternProperties":{"^[a-z][a-z0-9-]{0,6}$":
                      {"type":"string","pattern":"nb"}},"additionalProperties":false})"),
      schema_rule(R"({"type":"object","properties":{"name":{"type":"string","format":"uri"},
                      "ab":{"type":"string","pattern":"^[abn1]+(-[a-z]+)*$","maxLength":9},
                      "xa":{"type":"string","pattern":"x$","minLength":3}},
                      "additionalProperties":{"type":"string","maxLength":3}})"),
      // As long as tokens are, and longer.
      schema_rule(R"({"type":"array","items":{"type":"string","maxLength":17}})"),
      schema_rule(R"({"type":"object","properties":{"a":{"type":"string","maxLength":21},
                      "b":{"type":"string","minLength":20,"maxLength":90}},
                      "propertyNames":{"maxLength":18}})"),
      rule_of(OutputRule::Kind::regex, "[a-zé]{0,70}:[a-n1]{0,66},"),
  };
  for (const OutputRule& rule : rules) {
    const auto matcher = std::make_shared<Matcher>(compile(rule), trie());
    for (uint32_t seed = 0; seed < 20; ++seed) check_masks(matcher, seed);
  }
}

// Sets of many characters, counted and not, which a token may leave, with what parts kinds of
// characters and what goes on inside of one.
std::string random_pattern(std::mt19937& random) {
  const std::vector<std::string> parts{
      "[a-z]{0,3}", "[a-m1]+",     "[^x]*",       "[A-Za-z0-9_]{2,5}", "(ab|é)",
      "n?",         "[a-zé]{1,4}", "\\p{L}{1,3}", "(a|[b-z]{3})*",     "[a-z0-9]+(-[a-z]+)*",
      "[^b]{2,6}",  "[:,]",        "([a-w]x)*",   "[^\\n\"]{1,3}",     "1?[a-z]*"};
  std::string pattern;
  for (auto n = 1 + random() % 3; n > 0; --n) pattern += parts[random() % parts.size()];
  return pattern;
}

TEST(Masks, AreThoseOfAPlainWalkForRandomPatterns) {
  std::mt19937 random(11);
  int n_checked = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string pattern = random_pattern(random);
    SCOPED_TRACE(pattern);
    json::object schema{{"type", "string"}, {"pattern", "^" + pattern + "$"}};
    if (i % 3 == 0) schema["maxLength"] = 6;
    if (i % 4 == 0) schema["pattern"] = pattern;
    OutputRule named{.kind = OutputRule::Kind::json_schema};
    named.schema = json::object{{"type", "object"}, {"propertyNames", schema}};
    OutputRule text{.kind = OutputRule::Kind::json_schema};
    text.schema = schema;
    // Names that match somewhere, and names that match nowhere.
    OutputRule told_apart{.kind = OutputRule::Kind::json_schema};
    told_apart.schema = json::object{
        {"type", "object"},
        {"patternProperties", json::object{{pattern, json::object{{"type", "integer"}}},
                                           {"x.b", json::object{{"type", "boolean"}}}}},
        {"additionalProperties", json::object{{"type", "string"}}}};
    for (const OutputRule& rule :
         {rule_of(OutputRule::Kind::regex, pattern), text, named, told_apart}) {
      try {
        const auto matcher = std::make_shared<Matcher>(compile(rule), trie());
        for (uint32_t seed = 0; seed < 2; ++seed) check_masks(matcher, seed, 12);
        ++n_checked;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::resource_exhausted) << error.what();
      }
    }
  }
  EXPECT_GE(n_checked, 80) << "some cost too many steps, most do not";
}

TEST(Masks, OfFewTokensKeepNoRoomForAll) {
  Expressions x;
  const JsonText text(x);
  x.seal();
  const auto tokens = trie();
  TokenWalk walk(x, *tokens);
  const Inside few = walk.walk_inside(text.any_integer());
  EXPECT_FALSE(few.ids.empty());
  EXPECT_EQ(few.bits.capacity(), 0u);
  const Inside many = walk.walk_inside(x.string_tails[0]);
  EXPECT_TRUE(many.ids.empty());
  EXPECT_EQ(many.bits.size(), tokens->n_words());
}

// A grammar in which any value of JSON is a rule like others.
std::shared_ptr<Matcher> plain_matcher(const OutputRule& rule,
                                       std::shared_ptr<const TokenTrie> tokens) {
  auto grammar = compile(rule);
  grammar->expressions.json_rules = {-1, -1, -1};
  return std::make_shared<Matcher>(std::move(grammar), std::move(tokens));
}

TEST(Masks, OfAnyValueAreThoseOfAPlainWalkInFrontOfItInsideAndBehind) {
  const std::vector<std::pair<OutputRule, std::string>> texts{
      {rule_of(OutputRule::Kind::json_object),
       R"({"name": [1, {"a": "x\u00e9"}, null], "b": -1.5e1 , "a":{}})"},
      {schema_rule(R"({"type":"object","properties":{"a":{},"b":{"type":"array"},
                       "name":{"type":"object"}},"additionalProperties":false})"),
       R"({"a": {"b": [true, "x"]}, "b": [[1], "\n"], "name": {"a": 12}})"},
      {schema_rule(R"({"type":"array","items":{"type":"array","prefixItems":[true,
                       {"type":"integer"}],"items":{"type":"string"}}})"),
       R"([["a", 1, "b"], [{"a": null}, 12], [[[1]], 1]])"},
      {schema_rule(R"({"anyOf":[{"type":"object","required":["a"]},{"type":"array"}]})"),
       "{\n  \"x\": 1.0, \"a\": [ ]}"},
  };
  const auto tokens = trie();
  for (const auto& [rule, text] : texts) {
    const Constraint start(std::make_shared<Matcher>(compile(rule), tokens));
    Constraint known = start;
    Constraint plain(plain_matcher(rule, tokens));
    for (size_t i = 0; i < text.size(); ++i) {
      EXPECT_EQ(known.mask()->bits, plain.mask()->bits) << "behind " << text.substr(0, i);
      ASSERT_TRUE(known.accept(static_cast<uint8_t>(text[i]))) << text.substr(0, i + 1);
      ASSERT_TRUE(plain.accept(static_cast<uint8_t>(text[i])));
    }
    EXPECT_EQ(known.mask()->bits, plain.mask()->bits);
    EXPECT_TRUE(known.may_end());
  }
}

TEST(Masks, OfAnyValueAreFoundOnceAVocabulary) {
  const auto tokens = trie();
  const auto grammar = [] {
    auto x = std::make_unique<Expressions>();
    const JsonText text(*x);
    x->seal();
    return x;
  };
  const auto x = grammar();
  const auto other_x = grammar();
  Insides insides(*x, *tokens);
  Insides others(*other_x, *tokens);
  for (size_t i = 0; i < x->json_rules.size(); ++i) {
    ASSERT_GE(x->json_rules[i], 0);
    EXPECT_TRUE(insides.is_json(x->json_rules[i]));
    const Inside& found = insides.of_json(x->json_rules[i], 0);
    EXPECT_FALSE(found.ids.empty() && found.bits.empty());
    EXPECT_EQ(&others.of_json(other_x->json_rules[i], 0), &found);
  }
  EXPECT_NE(&insides.of_json(x->json_rules[1], 0), &insides.of_json(x->json_rules[2], 0));
  EXPECT_FALSE(insides.is_json(x->string_tails[0]));
}

TEST(Masks, HoldAllTextUntilATriggerIsWritten) {
  const std::vector<OutputTrigger> triggers{{"<call>", schema_rule(R"({"type":"integer"})")}};
  const auto matcher = std::make_shared<Matcher>(compile(triggers), trie());
  for (uint32_t seed = 0; seed < 20; ++seed) check_masks(matcher, seed);
  Constraint constraint(matcher);
  for (const char c : std::string_view("hi <ca<call>")) {
    ASSERT_TRUE(constraint.accept(static_cast<uint8_t>(c)));
  }
  EXPECT_FALSE(constraint.may_end());
  EXPECT_FALSE(constraint.accept('x'));
  EXPECT_TRUE(constraint.accept('7'));
  EXPECT_TRUE(constraint.may_end());
  EXPECT_TRUE(constraint.accept('x'));  // the text is free again
  EXPECT_FALSE(constraint.complete());
}

TEST(Constraints, AreIndependentCopies) {
  OutputRule rule = rule_of(OutputRule::Kind::choice);
  rule.choices = {"ab", "ac"};
  Constraint first(std::make_shared<Matcher>(compile(rule), trie()));
  ASSERT_TRUE(first.accept('a'));
  Constraint second = first;
  EXPECT_TRUE(first.accept('b'));
  EXPECT_TRUE(first.complete());
  EXPECT_FALSE(second.complete());
  EXPECT_TRUE(second.accept('c'));
  EXPECT_TRUE(second.complete());
}

TEST(Constraints, KeepOnlyAllowedLogits) {
  TokenMask mask{.bits = {~uint64_t{0}, 0b101}};
  std::vector<float> logits(70, 1.0f);
  std::vector<float> out;
  keep_allowed(logits, mask, out);
  for (size_t i = 0; i < 70; ++i) {
    EXPECT_EQ(out[i] == 1.0f, i < 64 || i == 64 || i == 66) << i;
  }
  // Most of a word, and words that the mask does not reach.
  mask.bits = {~uint64_t{0b1001}};
  logits.resize(200, 2.0f);
  keep_allowed(logits, mask, out);
  ASSERT_EQ(out.size(), 200u);
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(out[i] > 0.0f, i < 64 && i != 0 && i != 3) << i;
  }
}

TEST(Rules, ThatCostTooMuchAreRefused) {
  const std::vector<std::string> patterns{
      "(.*a){100}b[ab]{5000}(c?){5000}", "((((a{0,1000}){0,1000}){0,1000}){0,1000}){0,1000}b",
      "(a?){4000}" + std::string(4000, 'a'), std::string(10000, '('), "a{200000}"};
  for (const std::string& pattern : patterns) {
    try {
      const auto matcher =
          std::make_shared<Matcher>(compile(rule_of(OutputRule::Kind::regex, pattern)), trie());
      ExprId place = matcher->start();
      for (int i = 0; i < 50; ++i) {
        static_cast<void>(matcher->mask(place));
        place = matcher->behind(place, 'a');
        if (place == Expressions::kNothing) break;
      }
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Code::invalid_argument ||
                  error.code() == Code::resource_exhausted)
          << error.what();
    }
  }
}

TEST(Foretold, IsWhatAloneMayStandThere) {
  const auto matcher =
      std::make_shared<Matcher>(compile(schema_rule(
                                    R"({"type":"object","properties":{"abcname":{"const":true}},
                               "required":["abcname"],"additionalProperties":false})")),
                                trie());
  const auto text_of = [&](std::string_view before, int32_t most) {
    ExprId place = matcher->start();
    int32_t last = 0;
    for (const int32_t id : tokenizer().encode_text(std::string(before))) {
      place = matcher->behind(place, id);
      last = id;
    }
    std::string text;
    for (const int32_t id : matcher->foretold(place, last, most)) {
      text += tokenizer().piece(id, false);
    }
    return text;
  };
  EXPECT_EQ(text_of("{\"", 8), "abcname\": true}") << "one blank behind the colon";
  EXPECT_EQ(text_of("{\"", 2), "abcname");
  EXPECT_EQ(text_of("{\"abcname\":", 8), " true}");
  EXPECT_EQ(text_of("{\"abcname\": true}", 8), "") << "it is over";
}

TEST(Foretold, IsNothingWhereThereIsAChoice) {
  const auto matcher = std::make_shared<Matcher>(
      compile(rule_of(OutputRule::Kind::regex, "name(ab|na)[a-z]*")), trie());
  EXPECT_EQ(matcher->foretold(matcher->start(), 0, 8), tokenizer().encode_text("name"));
  ExprId place = matcher->behind(matcher->start(), tokenizer().encode_text("name").front());
  EXPECT_TRUE(matcher->foretold(place, 0, 8).empty());
}

}  // namespace
}  // namespace strata::inference
