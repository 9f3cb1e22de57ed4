#include "api/prompt/registry.h"

#include <gtest/gtest.h>

#include "api/json_fields.h"
#include "api/prompt/placeholders.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

PromptContent prompt(std::string_view text) {
  return parse_prompt(parse_json(text));
}

PromptContent saying(std::string_view text) {
  return prompt(to_json(json::object{{"text", text}}));
}

// The field that is at fault; "" when nothing is.
std::string fault(std::string_view text) {
  try {
    prompt(text);
  } catch (const FieldError& error) {
    return error.field();
  }
  return "";
}

std::string fault(const PromptContent& content, std::string_view values) {
  try {
    render(content, parse_json(values).as_object());
  } catch (const FieldError& error) {
    return error.field();
  }
  return "";
}

std::string first_text(const PromptContent& content, std::string_view values) {
  return render(content, parse_json(values).as_object()).front().content;
}

TEST(Placeholders, AreNamesBetweenTwoBracesAndNothingElse) {
  EXPECT_EQ(placeholders("{{a}} {{ b_2 }} {{a}} {{{c}}} {{}} {{ }} {{1}} {{a b}} {a} {{open"),
            (std::vector<std::string>{"a", "b_2", "c"}));
  EXPECT_EQ(fill("{{{a}}} {{x y}} {{", [](std::string_view) { return "{{a}}"; }),
            "{{{a}}} {{x y}} {{");
}

TEST(Placeholders, BracesAloneAreReadInLinearTime) {
  const std::string braces(4u << 20, '{');
  EXPECT_TRUE(placeholders(braces).empty());
  EXPECT_EQ(fill(braces, [](std::string_view) { return ""; }), braces);
}

TEST(Prompt, FillsInTypedVariables) {
  const auto content = prompt(
      R"({"messages":[{"role":"system","content":"{{who}}: {{n}} {{ratio}} {{on}} {{data}}"}],
          "variables":{"n":{"type":"integer"},"ratio":{"type":"number","default":0.5},
                       "on":{"type":"boolean"},"data":{"type":"json","default":[1,"a"]}}})");
  EXPECT_EQ(first_text(content, R"({"who":"{{n}}","n":3,"on":true})"),
            R"({{n}}: 3 0.5 true [1,"a"])");
  EXPECT_EQ(first_text(content, R"({"who":"w","n":"4","on":"false","data":{"b":null}})"),
            R"(w: 4 0.5 false {"b":null})");
}

TEST(Prompt, RefusesValuesThatDoNotFit) {
  const auto content = prompt(R"({"text":"{{who}} {{n}}","variables":{"n":{"type":"integer"}}})");
  EXPECT_EQ(fault(content, R"({"who":"a","n":1})"), "");
  EXPECT_EQ(fault(content, R"({"who":"a"})"), "variables.n");
  EXPECT_EQ(fault(content, R"({"who":"a","n":1.5})"), "variables.n");
  EXPECT_EQ(fault(content, R"({"who":"a","n":"one"})"), "variables.n");
  EXPECT_EQ(fault(content, R"({"who":7,"n":1})"), "variables.who");
  EXPECT_EQ(fault(content, R"({"who":"a","n":1,"other":1})"), "variables.other");
}

TEST(Prompt, RefusesContentThatIsNone) {
  EXPECT_EQ(fault(R"({"text":"a","settings":{"model":"m","temperature":0.1}})"), "");
  EXPECT_EQ(fault(R"({})"), "messages");
  EXPECT_EQ(fault(R"({"text":"a","messages":[{"role":"user","content":"b"}]})"), "messages");
  EXPECT_EQ(fault(R"({"messages":[{"role":"robot","content":"b"}]})"), "messages[0].role");
  EXPECT_EQ(fault(R"({"messages":[{"role":"user"}]})"), "messages[0].content");
  EXPECT_EQ(fault(R"({"text":"a","variables":{"b":{}}})"), "variables.b");
  EXPECT_EQ(fault(R"({"text":"{{b}}","variables":{"b":{"type":"date"}}})"), "variables.b.type");
  EXPECT_EQ(fault(R"({"text":"{{b}}","variables":{"b":{"type":"integer","default":"x"}}})"),
            "variables.b");
  EXPECT_EQ(fault(R"({"text":"a","settings":{"colour":1}})"), "settings.colour");
  EXPECT_EQ(fault(R"({"text":"a","other":1})"), "other");
  EXPECT_EQ(fault(to_json(json::object{{"text", std::string(kMaxPromptBytes + 1, 'a')}})),
            "messages");
}

TEST(Prompt, FilledInStaysBounded) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "{{a}}";
  const auto content = saying(text);
  const json::object values{{"a", std::string(2000, 'x')}};
  EXPECT_THROW(render(content, values), Error);
}

TEST(Prompt, HashIsOfWhatItSaysWhateverTheOrder) {
  const auto one = prompt(R"({"text":"{{a}}","settings":{"model":"m","seed":1}})");
  const auto same = prompt(
      R"({"settings":{"seed":1,"model":"m"},"variables":{"a":{"type":"string"}},
          "messages":[{"content":"{{a}}","role":"system"}]})");
  EXPECT_EQ(content_hash(one), content_hash(same));
  EXPECT_NE(content_hash(one), content_hash(prompt(R"({"text":"{{a}}","settings":{"seed":1}})")));
  EXPECT_EQ(content_hash(one), content_hash(parse_prompt(to_json_object(one))));
}

class PromptRegistryTest : public ::testing::Test {
 protected:
  std::string text_of(const std::string& selector, std::string_view caller = {}) const {
    return registry_.get("p", selector, caller).content.messages.front().content;
  }

  strata::testing::TempFolder folder_;
  PromptRegistry registry_{folder_.path() / "strata.db"};
};

TEST_F(PromptRegistryTest, VersionsAreNumberedAndNeverChange) {
  EXPECT_EQ(registry_.put("p", saying("one"), {.note = "first", .author = "k"}, 5).number, 1);
  EXPECT_EQ(registry_.put("p", saying("two"), {}, 6).number, 2);
  const auto again = registry_.put("p", saying("one"), {.note = "again", .author = ""}, 7);
  EXPECT_EQ(again.number, 1);
  EXPECT_EQ(again.note, "first");
  EXPECT_EQ(again.created, 5);
  EXPECT_EQ(registry_.versions("p").size(), 2u);
  EXPECT_EQ(registry_.put("q", saying("one"), {}, 8).number, 1);
  const PromptRegistry reopened(folder_.path() / "strata.db");
  EXPECT_EQ(reopened.get("p", "1").hash, content_hash(saying("one")));
  EXPECT_EQ(reopened.list().size(), 2u);
}

TEST_F(PromptRegistryTest, LabelsPointAtVersionsAndCanBeMovedBack) {
  registry_.put("p", saying("one"), {}, 1);
  registry_.put("p", saying("two"), {}, 2);
  EXPECT_EQ(text_of(""), "two") << "without production the newest";
  registry_.set_label("p", "production", 1, std::nullopt, 0, 3);
  EXPECT_EQ(text_of(""), "one");
  EXPECT_EQ(text_of("production"), "one");
  EXPECT_EQ(text_of("latest"), "two");
  EXPECT_EQ(registry_.set_label("p", "production", 2, std::nullopt, 0, 4).previous, 1);
  EXPECT_EQ(registry_.set_label("p", "production", 2, 1, 50, 5).previous, 1)
      << "a new share is no new version";
  EXPECT_EQ(registry_.info("p").labels.size(), 1u);
  registry_.remove_label("p", "production");
  EXPECT_EQ(text_of(""), "two");
  EXPECT_THROW(registry_.get("p", "production"), Error);
}

TEST_F(PromptRegistryTest, ATrialTakesItsShareOfCallersAndKeepsThem) {
  registry_.put("p", saying("one"), {}, 1);
  registry_.put("p", saying("two"), {}, 2);
  registry_.set_label("p", "production", 1, 2, 25, 3);
  int trials = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string caller = fmt::format("caller {}", i);
    const std::string text = text_of("", caller);
    EXPECT_EQ(text_of("production", caller), text);
    trials += text == "two" ? 1 : 0;
  }
  EXPECT_GT(trials, 200);
  EXPECT_LT(trials, 300);
  EXPECT_FALSE(takes_trial("p", "production", "x", 0));
  EXPECT_TRUE(takes_trial("p", "production", "x", 100));
}

TEST_F(PromptRegistryTest, RefusesNamesAndVersionsThatAreNone) {
  for (const char* name : {"", ".", "../a", "a b", "-a", "a/b"}) {
    EXPECT_THROW(registry_.put(name, saying("x"), {}, 1), Error) << name;
  }
  registry_.put("greeting", saying("x"), {}, 1);
  for (const char* label : {"latest", "3", "", "a/b"}) {
    EXPECT_THROW(registry_.set_label("greeting", label, 1, std::nullopt, 0, 1), Error) << label;
  }
  EXPECT_THROW(registry_.set_label("greeting", "production", 2, std::nullopt, 0, 1), Error);
  EXPECT_THROW(registry_.set_label("greeting", "production", 1, 7, 10, 1), Error);
  EXPECT_THROW(registry_.set_label("greeting", "production", 1, 1, 101, 1), Error);
  EXPECT_THROW(registry_.set_label("greeting", "production", 1, std::nullopt, 5, 1), Error);
  EXPECT_THROW(registry_.get("greeting", "2"), Error);
  try {
    registry_.get("greting", "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::not_found);
    EXPECT_NE(error.hint().find("greeting"), std::string::npos) << error.hint();
  }
}

TEST_F(PromptRegistryTest, ARemovedPromptIsGoneWithItsLabels) {
  registry_.put("p", saying("one"), {}, 1);
  registry_.set_label("p", "production", 1, std::nullopt, 0, 1);
  registry_.remove("p");
  EXPECT_TRUE(registry_.list().empty());
  EXPECT_THROW(registry_.remove("p"), Error);
  registry_.put("p", saying("two"), {}, 2);
  EXPECT_TRUE(registry_.info("p").labels.empty());
}

TEST(LineDiff, ShowsWhatWasTakenOutAndPutIn) {
  EXPECT_EQ(line_diff("a\nb\nc\nd\n", "a\nc\nx\nd\n"), "  a\n- b\n  c\n+ x\n  d\n");
  EXPECT_EQ(line_diff("a\n", "a\n"), "  a\n");
  EXPECT_EQ(line_diff("", "a\nb"), "+ a\n+ b\n");
}

TEST(LineDiff, VeryLongTextsAreReplacedWhole) {
  std::string from;
  std::string to;
  for (size_t i = 0; i <= kMaxDiffLines; ++i) {
    from += fmt::format("{}\n", i);
    to += fmt::format("{} new\n", i);
  }
  const std::string diff = line_diff(from, to);
  EXPECT_TRUE(diff.starts_with("- 0\n- 1\n"));
  EXPECT_EQ(static_cast<size_t>(std::ranges::count(diff, '\n')), 2 * (kMaxDiffLines + 1));
}

}  // namespace
}  // namespace strata::api
