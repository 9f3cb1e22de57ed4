#include "inference/constraint/json_schema.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "inference/constraint/grammar.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::shared_ptr<Grammar> of_schema(std::string_view schema, Members members = Members::any) {
  OutputRule rule;
  rule.kind = OutputRule::Kind::json_schema;
  rule.schema = parse_json(schema);
  rule.members = members;
  return compile(rule);
}

ExprId place_behind(Grammar& grammar, std::string_view text) {
  grammar.expressions.allow(1'000'000);
  ExprId place = grammar.start;
  for (const char c : text) place = grammar.expressions.derivative(place, static_cast<uint8_t>(c));
  return place;
}

bool accepts(Grammar& grammar, std::string_view text) {
  return grammar.expressions.nullable(place_behind(grammar, text));
}

struct Case {
  const char* schema;
  std::vector<const char*> good;
  std::vector<const char*> bad;
};

TEST(JsonSchemaTexts, FitTheSchema) {
  const std::vector<Case> cases{
      {R"({"type":"object"})", {"{}", R"({"a": [1, {"b":null}]})"}, {"[]", R"({"a"})", ""}},
      {R"({"type":"string","maxLength":2})", {R"("")", R"("ab")", R"("\n\u00e9")"}, {R"("abc")"}},
      {R"({"type":"string","pattern":"^a+$"})", {R"("a")", R"("aaa")"}, {R"("")", R"("ab")"}},
      {R"({"enum":["x",1,null,{"a":[true]}]})",
       {R"("x")", "1", "null", R"({"a": [true]})"},
       {"2", R"("y")", "{}"}},
      {R"({"type":"integer","minimum":-3,"exclusiveMaximum":12})",
       {"-3", "0", "11", "9"},
       {"-4", "12", "1.5", "-0", "100"}},
      {R"({"type":"number","minimum":0.25,"maximum":10})",
       {"0.25", "0.3", "1", "10", "10.0", "9.999"},
       {"0.2", "0.24", "10.01", "11", "-1", "0"}},
      {R"({"multipleOf":0.5,"type":"number"})", {"0.5", "1", "-2.5", "3.0"}, {"0.25", "1.3"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
          "required":["a"],"additionalProperties":false})",
       {R"({"a":1})", R"({"b":"x","a":1})", R"({"a":1,"b":""})", "{\n  \"a\": 1\n}"},
       {"{}", R"({"a":"1"})", R"({"a":1,"a":2})", R"({"a":1,"c":2})"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2})",
       {"[1]", "[1, 2]"},
       {"[]", "[1,2,3]", "[\"a\"]"}},
      {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"type":"array"})",
       {"[]", "[1]", "[1,\"a\"]"},
       {"[\"a\"]", "[1,\"a\",2]"}},
      {R"({"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},
          "next":{"$ref":"#/$defs/n"}},"required":["v"],"additionalProperties":false}},
          "$ref":"#/$defs/n"})",
       {R"({"v":1})", R"({"v":1,"next":{"v":2,"next":{"v":3}}})"},
       {R"({"v":1,"next":{}})"}},
      {R"({"$dynamicAnchor":"node","type":"object","properties":{"kids":{"type":"array",
          "items":{"$dynamicRef":"#node"}}},"additionalProperties":false})",
       {R"({"kids":[{"kids":[]},{}]})"},
       {R"({"kids":[1]})"}},
      {R"({"$id":"http://h/a","$ref":"#/default/0","default":[{"properties":{"k":{"$ref":"b"}}}],
          "type":"object","$defs":{"b":{"$id":"b","anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}],
          "$defs":{"n":{"type":"integer"}}}}})",
       {R"({"k":1})", R"({"k":null})"},
       {R"({"k":"x"})"}},
      {R"({"$id":"http://h/root","$ref":"list","$defs":{"own":{"$dynamicAnchor":"item",
          "type":"integer"},"list":{"$id":"list","type":"array","items":{"$dynamicRef":"#item"},
          "$defs":{"any":{"$dynamicAnchor":"item"}}}}})",
       {"[1]", "[]"},
       {R"(["a"])"}},
      {R"({"properties":{"const":{"$anchor":"q","type":"integer"},"b":{"$ref":"#q"},
          "$anchor":{"type":"null"}},"type":"object","default":{"$anchor":"q"}})",
       {R"({"b":1,"const":2,"$anchor":null})"},
       {R"({"b":"x"})", R"({"const":"x"})", R"({"$anchor":1})"}},
      {R"({"$defs":{"a":{"type":"string"}},"type":"object","properties":{"v":{"$id":"http://e/x",
          "$defs":{"a":{"type":"integer"}},"type":["integer","string"],
          "not":{"required":["zz"],"oneOf":[{"$ref":"#/$defs/a"}]}}}})",
       {R"({"v":"x"})", "{}"},
       {R"({"v":5})"}},
      {R"({"$id":"http://h/r","$defs":{"a":{"type":"string"}},"type":"object",
          "properties":{"v":{"$id":"e/x","$defs":{"a":{"type":"integer"}},
          "not":{"required":["zz"],"not":{"type":"object","required":["default"],
          "properties":{"default":{"$ref":"#/$defs/a"},"k":{"const":{"$ref":"#"}}}}}}}})",
       {R"({"v":{"zz":1,"default":1,"k":{"$ref":"#"}}})", R"({"v":{"k":1}})"},
       {R"({"v":{"zz":1,"default":"x"}})", R"({"v":{"zz":1,"default":1,"k":1}})"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","minLength":2}]})",
       {"1", R"("ab")"},
       {R"("a")", "1.5"}},
      {R"({"oneOf":[{"type":"integer","multipleOf":3},{"type":"integer","multipleOf":5}]})",
       {"3", "5", "9"},
       {"15", "0", "1"}},
      {R"({"allOf":[{"properties":{"a":{"minimum":2}}},{"properties":{"a":{"type":"integer"}},
          "type":"object","required":["a"]}]})",
       {R"({"a":2})", R"({"a":3,"c":[]})"},
       {R"({"a":1})", R"({"a":2.5})", "{}"}},
      {R"({"not":{"type":"string"}})", {"1", "{}", "[]"}, {R"("a")"}},
      {R"({"type":"string","not":{"enum":["a","b"]}})", {R"("c")", R"("ab")"}, {R"("a")"}},
      {R"({"type":"object","patternProperties":{"^x":{"type":"integer"}},
          "additionalProperties":{"type":"boolean"}})",
       {R"({"x1":1,"y":true})"},
       {R"({"x1":true})", R"({"y":1})"}},
      {R"({"type":"object","propertyNames":{"maxLength":2}})", {R"({"ab":1})"}, {R"({"abc":1})"}},
      {R"({"type":"object","properties":{"a":{},"b":{}},"dependentRequired":{"a":["b"]}})",
       {R"({"a":1,"b":2})", R"({"b":1})", "{}"},
       {R"({"a":1})"}},
      {R"({"type":"object","properties":{"k":{"const":"s"}},"if":{"properties":{"k":{"const":"s"}},
          "required":["k"]},"then":{"required":["t"]}})",
       {R"({"k":"s","t":1})", "{}"},
       {R"({"k":"s"})"}},
      {R"({"type":"string","format":"date"})", {R"("2024-02-29")"}, {R"("2023-02-29")"}},
      {R"({"type":"object","allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}],
          "$defs":{"a":{"properties":{"x":{"type":"integer"}}},
          "b":{"allOf":[{"$ref":"#/$defs/a"}],"unevaluatedProperties":false}}})",
       {R"({"x":1})", "{}"},
       {R"({"y":1})", R"({"x":"1"})"}},
      {R"({"allOf":[{"enum":[1,2,[1.0,{"a":2}],{"b":3}]},{"enum":[[1,{"a":2.0}],1.0,{"b":4}]}]})",
       {"1", R"([1.0,{"a":2}])"},
       {"2", R"({"b":3})", R"({"b":4})"}},
      {R"({"type":["string","null"]})", {"null", R"("")"}, {"1"}},
      {R"({"type":"object","properties":{"a":{"type":"string","minLength":2,"maxLength":1},
          "b":{"type":["string","null"],"minLength":2,"allOf":[{"maxLength":1}]}}})",
       {"{}", R"({"b":null})", R"({"c":"x"})"},
       {R"({"a":"x"})", R"({"a":"xy"})", R"({"b":"x"})"}},
      {R"({"type":"array","contains":{"type":"string"},"minItems":2})",
       {R"([1,"a"])", R"(["a", "b"])", R"(["a",{},[]])", R"([[],"x",2,"y"])"},
       {"[]", R"(["a"])", "[1,2]", R"([1,["a"]])"}},
      {R"({"type":"array","items":{"type":"integer"},"contains":{"minimum":5},"minContains":2,
          "maxContains":3})",
       {"[5,6]", "[1,5,2,6,3]", "[7,8,9,1]"},
       {"[5]", "[1,2,3]", "[5,6,7,8]", R"([5,6,"a"])"}},
      {R"({"type":"array","prefixItems":[{"type":"string"}],"contains":{"const":1},"minContains":0,
          "maxContains":1,"maxItems":3})",
       {"[]", R"(["a",1])", R"(["a",2,3])"},
       {"[1]", R"(["a",1,1])", R"(["a",1,1.0])", R"(["a",2,3,4])"}},
      {R"({"type":"number","not":{"type":"integer"}})",
       {"1.5", "-0.25"},
       {"1", "1.0", "1e0", "-0"}},
      {R"({"type":"number","not":{"const":1}})",
       {"2", "0", "-1", "1.5", "10", "0.1"},
       {"1", "1.0", "1.00", "1e0", "1E+0", "10e-1", "0.1e1"}},
      {R"({"oneOf":[{"type":"number"},{"const":0}]})",
       {"1", "-1.5"},
       {"0", "-0", "0.0", "-0.0", "0e5"}},
      {R"({"type":"array","items":{"enum":["a","b",1,1.0]},"uniqueItems":true,"minItems":2})",
       {R"(["a","b"])", R"([1, "b","a"])"},
       {R"(["a"])", R"(["a","a"])", "[1,1]", R"(["a","b",1,1])", R"(["a","c"])"}},
      {R"({"type":"array","items":{"enum":[0,-0.0,1e2]},"uniqueItems":true,"minItems":2})",
       {"[0,100]", "[100, 0]"},
       {"[0,0]", "[0,-0]", "[0,-0.0]", "[100,1e2]"}},
      {R"({"type":"array","items":{"anyOf":[{"enum":[1,2]},{"enum":[2,3]},{"type":"boolean"}]},
          "uniqueItems":true})",
       {"[]", "[2,1,3,true,false]"},
       {"[2,2]", "[true,1,true]", "[null]"}},
      {R"({"oneOf":[{"const":1e25},{"type":"number","minimum":5}]})",
       {"5", "6.5"},
       {"1e+25", "1e25", "4"}},
      {R"({"oneOf":[{"type":"number"},{"const":-1e300}]})", {"1", "-2.5"}, {"-1e+300"}},
      {R"({"type":"number","oneOf":[{"const":1e25},{"const":1e26},{"maximum":5}]})",
       {"1e+25", "1e+26", "5"},
       {"6"}},
      {R"({"type":"integer","enum":[1e25,1e-25,1.5,3.0]})", {"1e+25", "3"}, {"1e-25", "1.5"}},
      {R"({"enum":[1e25,-1e25,1e-25,7,7.5,8],"exclusiveMinimum":7.5,"maximum":9e18})",
       {"8"},
       {"1e+25", "-1e+25", "1e-25", "7", "7.5"}},
      {R"({"enum":[1e25,1e-25,0.25,0.32],"multipleOf":0.16})",
       {"1e+25", "0.32"},
       {"1e-25", "0.25"}},
      {R"({"enum":[1e25,21],"multipleOf":0.75})", {"21"}, {"1e+25"}},
      {R"({"enum":[1e25,-1e25,1e-25],"minimum":0})", {"1e+25", "1e-25"}, {"-1e+25"}},
      {R"({"type":"object","oneOf":[{"properties":{"k":{"const":"a"}},"required":["n"]},
          {"properties":{"k":{"const":"b"}}}],"properties":{"k":{"type":"string"}},
          "additionalProperties":{"type":"integer"}})",
       {R"({"k":"b"})", R"({"k":"b","n":1})", "{}", R"({"k":"a","n":1})"},
       {R"({"k":"a"})", R"({"n":1})", R"({"k":"c"})"}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.schema);
    const auto grammar = of_schema(one.schema);
    for (const char* text : one.good) EXPECT_TRUE(accepts(*grammar, text)) << text;
    for (const char* text : one.bad) EXPECT_FALSE(accepts(*grammar, text)) << text;
  }
}

// Each of so many references asks for the $id around it.
TEST(JsonSchemaTexts, ReferencesUnderAnIdAreFoundAtOnce) {
  json::object things;
  for (int i = 0; i < 300; ++i) {
    json::object properties;
    for (int j = 0; j < 30; ++j)
      properties[fmt::format("q{}", j)] = json::object{{"$ref", "#/$defs/s"}};
    things[fmt::format("o{}", i)] =
        json::object{{"type", "object"}, {"properties", std::move(properties)}};
  }
  json::object properties;
  for (const auto& [name, _] : things)
    properties[name] = json::object{{"$ref", fmt::format("#/$defs/{}", name)}};
  things["s"] = json::object{{"type", "string"}};
  const auto grammar = of_schema(to_json(json::object{{"$id", "http://h/a"},
                                                      {"type", "object"},
                                                      {"properties", std::move(properties)},
                                                      {"$defs", std::move(things)}}));
  EXPECT_TRUE(accepts(*grammar, R"({"o299":{"q29":"x"}})"));
  EXPECT_FALSE(accepts(*grammar, R"({"o299":{"q29":1}})"));
}

std::string refusal_of(const json::value& schema) {
  try {
    of_schema(to_json(schema));
  } catch (const Error& error) {
    return std::string(error.message());
  }
  return "none";
}

TEST(JsonSchemaTexts, LargeSchemasAreRefused) {
  const json::string large(kMaxRuleBytes - 50, 'x');
  EXPECT_EQ(refusal_of(json::object{{"description", large}}), "none");
  EXPECT_THAT(refusal_of(json::object{{"description", large}, {"$comment", large}}),
              StartsWith("#: the schema has 2097"));
  EXPECT_THAT(refusal_of(json::object{{"$id", large}}), StartsWith("#/$id: the $id has "));
}

// "#/$defs/a0" says what the next ones say, which refer on to the last.
json::object chain(int n, const auto& of_next) {
  json::object schemas;
  for (int i = 0; i < n; ++i) {
    schemas[fmt::format("a{}", i)] =
        of_next(json::object{{"$ref", fmt::format("#/$defs/a{}", i + 1)}});
  }
  schemas[fmt::format("a{}", n)] = json::object{
      {"type", "object"}, {"properties", json::object{{"k", json::object{{"type", "string"}}}}}};
  return json::object{{"$ref", "#/$defs/a0"}, {"$defs", std::move(schemas)}};
}

TEST(JsonSchemaTexts, LongChainsOfReferencesAreRefused) {
  const auto same = [](json::object next) { return next; };
  EXPECT_TRUE(accepts(*of_schema(to_json(chain(900, same))), R"({"k":"x"})"));
  EXPECT_THAT(refusal_of(chain(20'000, same)), HasSubstr("over 1000 schemas lead here"));
}

// Items of which some are counted share what follows them, and none of it has an end.
TEST(JsonSchemaTexts, WhatWasReadSaysNothingTwice) {
  const auto twice = [](const json::object& next) {
    return json::object{{"allOf", json::array{next, next}}};
  };
  const auto grammar = of_schema(to_json(chain(40, twice)));
  EXPECT_TRUE(accepts(*grammar, R"({"k":"x"})"));
  EXPECT_FALSE(accepts(*grammar, R"({"k":1})"));
}

TEST(JsonSchemaTexts, TheOppositeOfASchemaIsCounted) {
  const auto twice = [](const json::object& next) {
    return json::object{{"allOf", json::array{next, next}}};
  };
  json::object schema = chain(40, twice);
  schema["not"] = json::object{{"$ref", "#/$defs/a0"}};
  schema.erase("$ref");
  EXPECT_THAT(refusal_of(schema), HasSubstr("too many steps"));
}

TEST(JsonSchemaTexts, AlternativesInAlternativesAreReadOnce) {
  json::object schema{{"type", "string"}};
  for (int n = 1; n <= 25; ++n) {
    const json::object integer{{"type", "integer"}, {"minimum", n * 10}, {"maximum", n * 10 + 1}};
    schema = json::object{{"oneOf", json::array{schema, integer}}};
  }
  const auto grammar = of_schema(to_json(schema));
  for (const char* good : {R"("x")", "10", "251"}) EXPECT_TRUE(accepts(*grammar, good)) << good;
  for (const char* bad : {"12", "260", "null"}) EXPECT_FALSE(accepts(*grammar, bad)) << bad;
}

// Each time it is asked what is evaluated there.
TEST(JsonSchemaTexts, WhatIsReadOftenIsCounted) {
  const auto twice_alone = [](json::object next) {
    next["unevaluatedItems"] = true;
    return json::object{{"allOf", json::array{next, next}}};
  };
  EXPECT_THAT(refusal_of(chain(40, twice_alone)), HasSubstr("too many steps"));
}

TEST(JsonSchemaTexts, WhatManyPlacesShareIsLookedAtOnce) {
  json::array prefix(60, json::object{});
  prefix.push_back(json::object{{"$ref", "#/$defs/endless"}});
  const json::value endless = parse_json(
      R"({"type":"object","required":["x"],"properties":{"x":{"$ref":"#/$defs/endless"}}})");
  const json::object schema{{"type", "array"},   {"prefixItems", std::move(prefix)},
                            {"minItems", 61},    {"contains", json::object{{"type", "integer"}}},
                            {"maxContains", 30}, {"$defs", json::object{{"endless", endless}}}};
  EXPECT_THAT(refusal_of(schema), StartsWith("no text follows"));
}

TEST(JsonSchemaTexts, AreRefusedByTheirPlace) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"$ref":"x","$defs":{"x":{"$id":"x","$dynamicRef":"#n","$defs":{"n":
          {"$dynamicAnchor":"n"}}},"y":{"$id":"y","$dynamicAnchor":"n"}}})",
       "#/$defs/x/$dynamicRef: 2 schemas"},
      {R"({"properties":{"a":{"$dynamicRef":"#no"}}})", "#/properties/a/$dynamicRef: "},
      {R"({"contains":{"type":"array"},"allOf":[{"contains":{"type":"string"}}]})", "#/contains: "},
      {R"({"contains":{},"unevaluatedItems":false})", "#/unevaluatedItems: "},
      {R"({"properties":{"a/b":{"pattern":"(?=a)."}}})", "#/properties/a~1b/pattern: "},
      {R"({"$ref":"#"})", "#: the schema refers to itself"},
      {R"({"type":"array","uniqueItems":true})", "#/uniqueItems: "},
      {R"({"type":"text"})", "#/type: "},
      {R"({"$ref":"#/$defs/no"})", "#/$ref: "},
      {R"({"type":"string","format":"color"})", "#/format: "},
      {"false", "no text follows"},
      {R"({"type":"string","minLength":2,"maxLength":1})", "no text follows"},
      {R"({"type":"array","minItems":2,"maxItems":1})", "no text follows"},
      {R"({"type":"object","minProperties":2,"maxProperties":1})", "no text follows"},
      {R"({"type":"number","minimum":2,"maximum":1})", "no text follows"},
      {R"({"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}})", "no text follows"},
  };
  for (const auto& [schema, message] : cases) {
    try {
      of_schema(schema);
      ADD_FAILURE() << schema << " was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid_argument);
      EXPECT_TRUE(error.message().starts_with(message)) << error.message();
    }
  }
}

// What follows a beginning is nothing exactly where no multiple within the bounds begins so.
TEST(JsonSchemaTexts, ABeginningOfNoMultipleIsNothing) {
  constexpr int kMost = 12'345;
  for (const int k : {7, 100, 864, 4096, 9973}) {
    const auto grammar = of_schema(
        fmt::format(R"({{"type":"integer","minimum":0,"maximum":{},"multipleOf":{}}})", kMost, k));
    std::set<std::string> beginnings;
    for (int multiple = 0; multiple <= kMost; multiple += k) {
      const std::string text = std::to_string(multiple);
      EXPECT_TRUE(accepts(*grammar, text)) << text;
      for (size_t n = 1; n <= text.size(); ++n) beginnings.insert(text.substr(0, n));
    }
    for (int number = 0; number <= 2 * kMost; ++number) {
      const std::string text = std::to_string(number);
      EXPECT_EQ(place_behind(*grammar, text) != Expressions::kNothing, beginnings.contains(text))
          << text << " of " << k;
    }
  }
}

TEST(JsonSchemaTexts, MultiplesOfLargeNumbersAreFound) {
  const std::vector<Case> cases{
      {R"({"type":"number","multipleOf":100})", {"100", "-1200.0", "0"}, {"1", "150", "100.5"}},
      {R"({"type":"number","multipleOf":12.5})", {"12.5", "100", "-37.50"}, {"12", "13.5"}},
      {R"({"type":"number","multipleOf":4096})", {"4096", "8192.0"}, {"4095"}},
      {R"({"type":"integer","minimum":0,"multipleOf":86400})", {"86400", "31536000"}, {"86401"}},
      {R"({"type":"integer","multipleOf":1000000,"minimum":1,"maximum":1000000000})",
       {"1000000", "999000000", "1000000000"},
       {"0", "1000001000000", "123456"}},
      {R"({"type":"integer","multipleOf":99999989,"maximum":9999999999})",
       {"99999989", "-9999998900"},
       {"99999988"}},
      {R"({"type":"number","multipleOf":65536,"exclusiveMaximum":65536})",
       {"0", "-65536"},
       {"65536"}},
  };
  for (const Case& one : cases) {
    const auto grammar = of_schema(one.schema);
    SCOPED_TRACE(one.schema);
    for (const char* text : one.good) EXPECT_TRUE(accepts(*grammar, text)) << text;
    for (const char* text : one.bad) EXPECT_FALSE(accepts(*grammar, text)) << text;
  }
}

TEST(JsonSchemaTexts, AsListedHaveTheNamesOfTheSchemaInItsOrder) {
  const std::vector<Case> cases{
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{},"c":{"type":"null"}},
          "required":["b"]})",
       {R"({"a":1,"b":2,"c":null})", R"({"b":{"z":1}})", R"({"a":1,"b":2})", R"({"b":2,"c":null})"},
       {"{}", R"({"a":1})", R"({"b":2,"a":1})", R"({"b":2,"d":1})", R"({"b":2,"b":2})",
        R"({"a":1,"c":null})", R"({"a":1,"c":null,"b":2})"}},
      {R"({"type":"object","properties":{"a":{}},"additionalProperties":true})",
       {R"({"a":1,"z":2})", R"({"z":2,"a":1})", "{}"},
       {R"({"a":1,"a":1})"}},
      {R"({"type":"object","properties":{"a":{}},"additionalProperties":{"type":"null"}})",
       {R"({"a":1,"z":null})"},
       {R"({"z":2})"}},
      {R"({"type":"object","properties":{}})", {"{}"}, {R"({"a":1})", "1"}},
      {R"({"type":"object"})", {"{}", R"({"a":1})"}, {"1"}},
      {R"({"properties":{"a":{"type":"string"}},"required":["a"]})",
       {R"({"a":"x"})"},
       {"0", R"("a")", "{}", "[]"}},
      {R"({"items":{"type":"null"}})", {"[]", "[null]"}, {"0", "{}"}},
      {R"({"type":"object","properties":{"a":{}},"required":["z"]})",
       {R"({"a":1,"z":2})", R"({"z":2})"},
       {R"({"a":1})", R"({"z":2,"y":1})"}},
      {R"({"type":"object","properties":{"a":{}},"patternProperties":{"^x":{"type":"null"}}})",
       {R"({"a":1,"x1":null})", R"({"x1":null,"x2":null})"},
       {R"({"a":1,"y":2})"}},
      {R"({"type":"object","properties":{"a":{}},"minProperties":2})",
       {R"({"a":1,"b":2})"},
       {"{}"}},
      {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2})",
       {R"({"a":1,"b":2})", R"({"a":1,"c":2})", R"({"b":1,"c":2})"},
       {R"({"c":1})", R"({"b":1})"}},
      {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"maxProperties":1})",
       {"{}", R"({"b":1})"},
       {R"({"a":1,"b":2})"}},
      {R"({"type":"object","properties":{"a":{},"b":{}},"dependentRequired":{"b":["a"]}})",
       {R"({"a":1,"b":2})", R"({"a":1})", "{}"},
       {R"({"b":1})"}},
      {R"({"type":"object","allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]})",
       {R"({"a":1,"b":2})", R"({"b":2})"},
       {R"({"c":1})", R"({"b":2,"a":1})"}},
      {R"({"type":"object","properties":{"k":{"enum":["s","t"]}},"required":["k"],
          "if":{"properties":{"k":{"const":"s"}}},"then":{"properties":{"n":{"type":"null"}},
          "required":["n"]}})",
       {R"({"k":"s","n":null})", R"({"k":"t"})"},
       {R"({"k":"s"})", R"({"k":"t","o":1})"}},
      {R"({"type":"object","properties":{"a":{}},"not":{"required":["a"]}})",
       {"{}"},
       {R"({"a":1})"}},
      {R"({"type":"array","items":{"type":"object","properties":{"a":{},"b":{}}}})",
       {R"([{"a":1},{"a":1,"b":2}])"},
       {R"([{"b":1,"a":1}])", R"([{"c":1}])"}},
  };
  for (const Case& one : cases) {
    const auto grammar = of_schema(one.schema, Members::as_listed);
    const auto whole = of_schema(one.schema);
    SCOPED_TRACE(one.schema);
    for (const char* text : one.good) {
      EXPECT_TRUE(accepts(*grammar, text)) << text;
      EXPECT_TRUE(accepts(*whole, text)) << text << " does not fit the schema";
    }
    for (const char* text : one.bad) EXPECT_FALSE(accepts(*grammar, text)) << text;
  }
}

// Each optional name is passed over or not, and no place is made for what was passed over.
TEST(JsonSchemaTexts, AsListedAnObjectOfManyNamesHasAPlaceForEach) {
  constexpr int kNames = 1000;
  json::object properties;
  for (int i = 0; i < kNames; ++i) properties[fmt::format("p{}", i)] = {{"type", "boolean"}};
  const json::object schema{{"type", "object"}, {"properties", properties}};
  const auto grammar = of_schema(to_json(schema), Members::as_listed);
  std::string every_third = "{";
  for (int i = 0; i < kNames; i += 3) {
    every_third += fmt::format(R"({}"p{}":true)", i == 0 ? "" : ",", i);
  }
  EXPECT_TRUE(accepts(*grammar, every_third + "}"));
  EXPECT_FALSE(accepts(*grammar, every_third + R"(,"p998":true})"));
  EXPECT_TRUE(accepts(*grammar, R"({"p5":true,"p999":false})"));
}

// In any order, within the expressions that a grammar may have.
TEST(JsonSchemaTexts, AnObjectOfManyNamesIsWrittenToItsEnd) {
  for (const bool required : {true, false}) {
    constexpr int kNames = 1000;
    json::object properties;
    json::array names;
    for (int i = 0; i < kNames; ++i) {
      const std::string name = fmt::format("p{}", i);
      properties[name] = {{"type", "boolean"}};
      if (required) names.emplace_back(name);
    }
    const auto grammar = of_schema(to_json(json::object{{"type", "object"},
                                                        {"properties", properties},
                                                        {"required", names},
                                                        {"additionalProperties", false}}));
    std::string text = "{";
    for (int i = 0; i < kNames; ++i) {
      text += fmt::format(R"({}"p{}": true)", i == 0 ? "" : ", ", i * 7 % kNames);
    }
    EXPECT_TRUE(accepts(*grammar, text + "}"));
    EXPECT_FALSE(accepts(*grammar, text + R"(, "p3": true})"));
    EXPECT_EQ(accepts(*grammar, R"({"p1": true})"), !required);
  }
}

}  // namespace
}  // namespace strata::inference
