// Objects are written to their end, whatever of the allowed bytes is drawn.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/testing/random_text.h"

namespace strata::inference {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using testing::random_text;

constexpr auto kBoth = {Members::as_listed, Members::any};

std::shared_ptr<Grammar> of_schema(const json::value& schema, Members members) {
  return compile({.kind = OutputRule::Kind::json_schema, .schema = schema, .members = members});
}

bool accepts(Grammar& grammar, std::string_view text) {
  grammar.expressions.allow(4'000'000);
  ExprId place = grammar.start;
  for (const char c : text) place = grammar.expressions.derivative(place, static_cast<uint8_t>(c));
  return grammar.expressions.nullable(place);
}

std::vector<std::string> texts_of(Grammar& grammar, int n = 40) {
  std::vector<std::string> texts;
  for (int i = 0; i < n; ++i) {
    const testing::RandomText made = random_text(grammar, static_cast<uint32_t>(i));
    EXPECT_FALSE(made.dead) << made.text.substr(0, 400);
    if (made.ended) texts.push_back(made.text);
  }
  return texts;
}

// field_0 and so on, of which every nth is required.
json::object many(int n, int every, json::object schema = {}) {
  json::object properties;
  json::array required;
  for (int i = 0; i < n; ++i) {
    const std::string name = fmt::format("field_{}", i);
    properties[name] = {{"type", "boolean"}};
    if (i % every == every - 1) required.push_back(json::string(name));
  }
  schema["type"] = "object";
  schema["properties"] = std::move(properties);
  schema["required"] = std::move(required);
  return schema;
}

TEST(JsonSchemaObjects, ManyNamesSomeOfThemRequiredAreWrittenToTheEnd) {
  for (const int n : {33, 40, 100}) {
    for (const json::object& more : std::vector<json::object>{
             {},
             {{"maxProperties", n / 5 + 1}},
             {{"minProperties", n - 2}},
             {{"minProperties", n / 5 + 2}, {"maxProperties", n / 5 + 2}},
             {{"additionalProperties", false}, {"maxProperties", n / 5}},
             {{"dependentRequired",
               {{"field_1", {"field_2", "field_7"}}, {"field_6", {"field_3"}}}}}}) {
      for (const Members members : kBoth) {
        json::object schema = many(n, 5, more);
        if (members == Members::any) schema["additionalProperties"] = false;
        SCOPED_TRACE(to_json(more) + (members == Members::any ? " any" : ""));
        const std::vector<std::string> texts = texts_of(*of_schema(schema, members), 10);
        EXPECT_FALSE(texts.empty());
        EXPECT_THAT(texts, Each(HasSubstr("\"field_4\"")));
      }
    }
  }
}

TEST(JsonSchemaObjects, NamesThatAreCountedLeaveRoomForOthers) {
  for (const char* schema : {
           R"({"type":"object","properties":{"name":{"type":"string"}},"additionalProperties":
               {"type":"integer"},"minProperties":2,"maxProperties":2})",
           R"({"type":"object","properties":{"a":{},"b":{}},"additionalProperties":
               {"type":"integer"},"minProperties":3,"maxProperties":3})",
           R"({"type":"object","properties":{"c":{},"d":{}},"minProperties":3,"maxProperties":3})",
           R"({"type":"object","properties":{"c":{},"d":{},"e":{}},"required":["d"],
               "minProperties":3,"maxProperties":3,"patternProperties":{"^x":{"type":"null"}}})",
           R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,
               "maxProperties":2,"additionalProperties":false,
               "dependentRequired":{"a":["c"],"b":["c"]}})",
           R"({"type":"object","properties":{"a":{},"b":{},"c":{},"d":{}},"minProperties":2,
               "maxProperties":3,"additionalProperties":false,
               "dependentRequired":{"a":["c"],"c":["a"]}})",
           R"({"type":"object","properties":{"a":{},"b":false},"minProperties":1,
               "additionalProperties":{"type":"integer"},"dependentRequired":{"a":["b"]}})",
       }) {
    for (const Members members : kBoth) {
      SCOPED_TRACE(schema);
      texts_of(*of_schema(parse_json(schema), members));
    }
  }
}

// Listed names that cannot come do not count.
TEST(JsonSchemaObjects, OtherNamesComeWhereTheListedOnesAreTooFew) {
  for (const auto& [schema, good] : {
           std::pair{R"({"type":"object","properties":{"legacy":false},"minProperties":1})",
                     R"({"x":1})"},
           {R"({"properties":{"kind":{"type":"string"},"legacy":false},"minProperties":2})",
            R"({"kind":"a","b":null})"},
           {R"({"properties":{"a":{"type":"string"}},"propertyNames":{"pattern":"^x"},
                "minProperties":1})",
            R"({"x":1})"},
           {R"({"properties":{"a":{"type":"string","minLength":2,"maxLength":1}},
                "minProperties":1})",
            R"({"b":1})"},
           {R"({"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}},
                "minProperties":1}},"$ref":"#/$defs/N"})",
            R"({"next":{"x":1}})"},
           {R"({"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"},
                "v":{"type":"null"}},"minProperties":2}},"$ref":"#/$defs/N"})",
            R"({"next":{"v":null,"x":1},"v":null})"},
       }) {
    SCOPED_TRACE(schema);
    const auto grammar = of_schema(parse_json(schema), Members::as_listed);
    EXPECT_TRUE(accepts(*grammar, good));
    EXPECT_FALSE(accepts(*grammar, "{}"));
    texts_of(*grammar);
  }
  const auto closed = of_schema(
      parse_json(R"({"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"},
          "v":{"type":"null"}},"minProperties":1}},"$ref":"#/$defs/N"})"),
      Members::as_listed);
  EXPECT_FALSE(accepts(*closed, R"({"x":1})"));
  texts_of(*closed);
}

// What only a condition says lists no names, nor does it add one to those that are listed.
TEST(JsonSchemaObjects, ConditionsListNoNames) {
  struct Case {
    const char* schema;
    std::vector<const char*> good, bad;
  };
  for (const Case& one : std::vector<Case>{
           {R"({"type":"object","not":{"properties":{"a":{"const":1}},"required":["a"]}})",
            {R"({"b":1})", R"({"a":2,"b":1})", "{}"},
            {R"({"a":1})"}},
           {R"({"type":"object","if":{"properties":{"a":{"const":1}},"required":["a"]},
                "then":{"required":["b"]}})",
            {R"({"x":1,"b":2})", R"({"a":1,"b":2,"x":3})", R"({"a":2,"x":1})"},
            {R"({"a":1})"}},
           {R"({"type":"object","$defs":{"k":{"properties":{"a":{"const":1}}}},
                "if":{"$ref":"#/$defs/k"},"then":{"$ref":"#/$defs/k"}})",
            {R"({"a":1})", R"({"a":2,"x":1})"},
            {R"({"a":1,"x":1})"}},
           {R"({"type":"object","properties":{"a":{}},"dependentRequired":{"x":["y"]}})",
            {"{}", R"({"a":1})"},
            {R"({"x":1,"y":2})", R"({"y":2})"}},
           {R"({"type":"object","properties":{"a":{}},"dependentRequired":{"a":["y"]}})",
            {"{}", R"({"a":1,"y":2})"},
            {R"({"a":1})"}},
           {R"({"type":"object","properties":{"a":{}},"dependentSchemas":{"x":
                {"properties":{"y":{}},"required":["y"]}}})",
            {"{}", R"({"a":1})"},
            {R"({"x":1,"y":2})", R"({"a":1,"x":1,"y":2})"}},
           {R"({"type":"object","properties":{"a":{}},"dependentSchemas":{"a":
                {"properties":{"y":{}},"required":["y"]},"x":{"required":["z"]}},
                "patternProperties":{"^x":{"type":"integer"}}})",
            {R"({"a":1,"y":2})", R"({"x":1,"z":2})"},
            {R"({"a":1})", R"({"x":1})"}},
           {R"({"type":"object","properties":{"a":{}},"dependentSchemas":{"x":{"required":["z"]}},
                "required":["x"]})",
            {R"({"x":1,"z":2})", R"({"a":1,"x":1,"z":2})"},
            {R"({"a":1})", R"({"x":1})"}},
       }) {
    SCOPED_TRACE(one.schema);
    const auto grammar = of_schema(parse_json(one.schema), Members::as_listed);
    for (const char* text : one.good) EXPECT_TRUE(accepts(*grammar, text)) << text;
    for (const char* text : one.bad) EXPECT_FALSE(accepts(*grammar, text)) << text;
    texts_of(*grammar);
  }
}

}  // namespace
}  // namespace strata::inference
