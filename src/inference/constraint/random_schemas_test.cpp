// A model with random weights, which wants garbage, answers 1,200 random schemas; a validator that
// knows nothing of expressions judges the answers. Each schema follows from its number.
#include <cmath>
#include <future>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/utf8.h"
#include "inference/engine_thread.h"
#include "inference/testing/byte_tokenizer.h"
#include "inference/testing/random_text.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using testing::ByteTokenizer;

// Patterns with what they mean, written by hand.
struct Pattern {
  const char* text;
  bool (*matches)(std::string_view);
};
bool only(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}
const std::vector<Pattern> kPatterns{
    {"^[a-c]{2,4}$",
     [](std::string_view s) { return s.size() >= 2 && s.size() <= 4 && only(s, "abc"); }},
    {"^x", [](std::string_view s) { return s.starts_with("x"); }},
    {"q$", [](std::string_view s) { return s.ends_with("q"); }},
    {"[0-9]",
     [](std::string_view s) { return s.find_first_of("0123456789") != std::string_view::npos; }},
    {"^(ab|c)*$",
     [](std::string_view s) {
       while (!s.empty()) {
         if (s.starts_with("ab")) {
           s.remove_prefix(2);
         } else if (s.starts_with("c")) {
           s.remove_prefix(1);
         } else {
           return false;
         }
       }
       return true;
     }},
    {"\\\"", [](std::string_view s) { return s.find('"') != std::string_view::npos; }},
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed), arrays_(seed + 10'000) {}

  json::value schema() {
    json::object root = object(2);
    root["$defs"] = json::object{{"leaf", scalar()}, {"tree", tree()}};
    return root;
  }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  bool coin() { return below(2) == 0; }

  json::value any(int depth) {
    switch (depth <= 0 ? below(4) : below(10)) {
      case 0:
      case 1:
      case 2:
        return scalar();
      case 3:
        return json::object{{"$ref", coin() ? "#/$defs/leaf" : "#/$defs/tree"}};
      case 4:
        return array(depth - 1);
      case 5:
        return json::object{{"anyOf", json::array{any(depth - 1), any(depth - 1)}}};
      case 6:
        return logic();
      default:
        return object(depth - 1);
    }
  }

  json::value tree() {
    return json::object{
        {"type", "object"},
        {"properties",
         json::object{{"v", scalar()}, {"next", json::object{{"$ref", "#/$defs/tree"}}}}},
        {"required", json::array{"v"}},
        {"additionalProperties", false}};
  }

  json::value logic() {
    switch (below(5)) {
      case 0:
        return json::object{{"type", "integer"},
                            {"minimum", -90},
                            {"maximum", 90},
                            {"oneOf", json::array{json::object{{"multipleOf", 2 + below(3)}},
                                                  json::object{{"minimum", below(20)}}}}};
      case 1:
        return json::object{{"type", "string"}, {"maxLength", 3}, {"not", scalar()}};
      case 2:
        return json::object{{"allOf", json::array{numbers(), numbers()}}};
      case 3:
        return json::object{{"type", json::array{"integer", "boolean"}},
                            {"if", json::object{{"type", "integer"}}},
                            {"then", json::object{{"maximum", 5}}}};
      default:
        if (arrays_() % 2 == 0) return either();
        return json::object{
            {"oneOf",
             json::array{
                 json::object{{"type", "object"},
                              {"properties",
                               json::object{{"k", json::object{{"const", "a"}}}, {"n", scalar()}}},
                              {"required", json::array{"k", "n"}},
                              {"additionalProperties", false}},
                 json::object{{"type", "object"},
                              {"properties", json::object{{"k", json::object{{"const", "b"}}}}},
                              {"required", json::array{"k"}},
                              {"additionalProperties", false}}}}};
    }
  }

  json::value numbers() {
    json::object schema{{"type", coin() ? "integer" : "number"}};
    const auto low = static_cast<double>(below(4000)) / 8 - 250;
    if (coin()) schema[coin() ? "minimum" : "exclusiveMinimum"] = low;
    if (coin()) schema[coin() ? "maximum" : "exclusiveMaximum"] = low + 10 + below(100);
    if (below(4) == 0) {
      // Between bounds, so that the validator's doubles are exact.
      schema["minimum"] = low;
      schema["maximum"] = low + 10 + below(100);
      schema["multipleOf"] = coin() ? json::value(3) : json::value(0.25);
    }
    return schema;
  }

  json::value scalar() {
    switch (below(7)) {
      case 0:
        return json::object{{"type", coin() ? "boolean" : "null"}};
      case 1:
        return json::object{{"enum", json::array{"a\"b", "é", below(50), nullptr, coin(), -1.5}}};
      case 2:
        return json::object{{"const", coin() ? json::value("k\n") : json::value(7)}};
      case 3: {
        json::object schema{{"type", "string"}};
        schema["minLength"] = below(3);
        schema["maxLength"] = 3 + below(5);
        return schema;
      }
      case 4: {
        json::object schema{{"type", "string"}, {"pattern", kPatterns[below(6)].text}};
        schema["maxLength"] = 4 + below(5);
        return schema;
      }
      default:
        return numbers();
    }
  }

  json::value array(int depth) {
    json::object schema{{"type", "array"}, {"maxItems", 1 + below(3)}};
    if (coin()) schema["minItems"] = 1;
    if (below(3) == 0) schema["prefixItems"] = json::array{any(depth), scalar()};
    schema["items"] = any(depth);
    if (arrays_() % 4 == 0) count_items(schema);
    if (arrays_() % 6 == 0) {
      return json::object{
          {"type", "array"},
          {"items", json::object{{"enum", json::array{1, "a\"", nullptr, 12, "b"}}}},
          {"minItems", arrays_() % 3},
          {"uniqueItems", true}};
    }
    return schema;
  }

  void count_items(json::object& schema) {
    const std::vector<std::string> types{"number", "string", "boolean", "object"};
    const json::object type{{"type", json::string(types[arrays_() % 4])}};
    schema["contains"] = arrays_() % 2 == 0 ? type : json::object{{"not", type}};
    if (arrays_() % 2 == 0) schema["minContains"] = arrays_() % 3;
    if (arrays_() % 2 == 0) schema["maxContains"] = 1 + arrays_() % 2;
  }

  // An object fits both where it has no k.
  json::value either() {
    const auto of = [](const char* k) {
      return json::object{{"properties", json::object{{"k", json::object{{"const", k}}}}}};
    };
    return json::object{{"type", "object"},
                        {"properties", json::object{{"k", true}, {"n", scalar()}}},
                        {"additionalProperties", false},
                        {"oneOf", json::array{of("a"), of("b")}}};
  }

  json::object object(int depth) {
    json::object properties;
    json::array required;
    const uint32_t n = 1 + below(4);
    for (uint32_t i = 0; i < n; ++i) {
      const std::string name =
          std::string(1, static_cast<char>('a' + below(6))) + (coin() ? "" : "é\"");
      properties[name] = any(depth);
      if (coin()) required.push_back(json::string(name));
    }
    json::object schema{{"type", "object"}, {"properties", properties}, {"required", required}};
    schema["maxProperties"] = n + 1;
    if (below(3) == 0) {
      schema["patternProperties"] = json::object{{"^x", scalar()}};
      schema["additionalProperties"] = below(2) == 0 ? json::value(false) : scalar();
      schema["propertyNames"] = json::object{{"maxLength", 6}};
    } else {
      schema["additionalProperties"] = false;
    }
    if (below(3) == 0) {
      const std::string one(properties.begin()->key());
      schema["dependentRequired"] = json::object{{one, json::array{"zz"}}};
      properties["zz"] = scalar();
      schema["properties"] = properties;
      schema["maxProperties"] = n + 2;
    }
    return schema;
  }

  std::mt19937 random_;
  std::mt19937 arrays_;  // of what came later, so that the other schemas stay as they were
};

// JSON Schema, as far as the generator uses it.
class Validator {
 public:
  explicit Validator(const json::value& root) : root_(root) {}

  bool fits(const json::value& v, const json::value& schema) const {
    if (schema.is_bool()) return schema.get_bool();
    const json::object& s = schema.get_object();
    const auto all = [&](const char* key, auto each) {
      const json::value* list = s.if_contains(key);
      return list == nullptr || each(*list);
    };
    const auto count_fitting = [&](const json::value& list) {
      size_t n = 0;
      for (const json::value& one : list.get_array()) n += fits(v, one) ? 1 : 0;
      return n;
    };
    if (const auto* ref = s.if_contains("$ref")) {
      const std::string name(ref->get_string());
      const json::value& target = root_.at("$defs").at(name.substr(name.rfind('/') + 1));
      if (!fits(v, target)) return false;
    }
    if (s.contains("if") && s.contains("then")) {
      if (fits(v, s.at("if")) && !fits(v, s.at("then"))) return false;
    }
    return all("type", [&](const json::value& t) { return has_type(v, t); }) &&
           all("enum",
               [&](const json::value& list) {
                 return std::any_of(list.get_array().begin(), list.get_array().end(),
                                    [&](const json::value& one) { return same(one, v); });
               }) &&
           all("const", [&](const json::value& c) { return same(c, v); }) &&
           all("anyOf", [&](const json::value& l) { return count_fitting(l) > 0; }) &&
           all("oneOf", [&](const json::value& l) { return count_fitting(l) == 1; }) &&
           all("allOf",
               [&](const json::value& l) { return count_fitting(l) == l.get_array().size(); }) &&
           all("not", [&](const json::value& n) { return !fits(v, n); }) && number_fits(v, s) &&
           string_fits(v, s) && array_fits(v, s) && object_fits(v, s);
  }

 private:
  static bool same(const json::value& a, const json::value& b) {
    if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
    return a == b;
  }

  static bool has_type(const json::value& v, const json::value& type) {
    if (type.is_array()) {
      return std::any_of(type.get_array().begin(), type.get_array().end(),
                         [&](const json::value& one) { return has_type(v, one); });
    }
    const std::string_view t(type.get_string());
    if (t == "integer")
      return v.is_number() && std::floor(v.to_number<double>()) == v.to_number<double>();
    return (t == "number" && v.is_number()) || (t == "string" && v.is_string()) ||
           (t == "boolean" && v.is_bool()) || (t == "null" && v.is_null()) ||
           (t == "array" && v.is_array()) || (t == "object" && v.is_object());
  }

  static bool number_fits(const json::value& v, const json::object& s) {
    if (!v.is_number()) return true;
    const auto n = v.to_number<double>();
    const auto bound = [&](const char* key) { return s.at(key).to_number<double>(); };
    if (s.contains("minimum") && n < bound("minimum")) return false;
    if (s.contains("exclusiveMinimum") && n <= bound("exclusiveMinimum")) return false;
    if (s.contains("maximum") && n > bound("maximum")) return false;
    if (s.contains("exclusiveMaximum") && n >= bound("exclusiveMaximum")) return false;
    return !s.contains("multipleOf") || std::fmod(n, bound("multipleOf")) == 0.0;
  }

  static bool string_fits(const json::value& v, const json::object& s) {
    if (!v.is_string()) return true;
    const std::string_view text(v.get_string());
    const auto n = static_cast<double>(n_code_points(text));
    if (s.contains("minLength") && n < s.at("minLength").to_number<double>()) return false;
    if (s.contains("maxLength") && n > s.at("maxLength").to_number<double>()) return false;
    if (!s.contains("pattern")) return true;
    const auto known = std::find_if(kPatterns.begin(), kPatterns.end(), [&](const Pattern& p) {
      return s.at("pattern").get_string() == p.text;
    });
    return known->matches(text);
  }

  bool array_fits(const json::value& v, const json::object& s) const {
    if (!v.is_array()) return true;
    const json::array& items = v.get_array();
    const auto n = static_cast<double>(items.size());
    if (s.contains("minItems") && n < s.at("minItems").to_number<double>()) return false;
    if (s.contains("maxItems") && n > s.at("maxItems").to_number<double>()) return false;
    const size_t n_prefix = s.contains("prefixItems") ? s.at("prefixItems").get_array().size() : 0;
    for (size_t i = 0; i < items.size(); ++i) {
      const bool in_front = i < n_prefix;
      if (in_front && !fits(items[i], s.at("prefixItems").get_array()[i])) return false;
      if (!in_front && s.contains("items") && !fits(items[i], s.at("items"))) return false;
      for (size_t k = 0; s.contains("uniqueItems") && k < i; ++k) {
        if (same(items[i], items[k])) return false;
      }
    }
    if (!s.contains("contains")) return true;
    const auto found = std::count_if(items.begin(), items.end(), [&](const json::value& item) {
      return fits(item, s.at("contains"));
    });
    const auto bound = [&](const char* key, int64_t otherwise) {
      return s.contains(key) ? s.at(key).to_number<int64_t>() : otherwise;
    };
    return found >= bound("minContains", 1) && found <= bound("maxContains", found);
  }

  bool object_fits(const json::value& v, const json::object& s) const {
    if (!v.is_object()) return true;
    const json::object& members = v.get_object();
    if (s.contains("required")) {
      for (const json::value& name : s.at("required").get_array()) {
        if (!members.contains(name.get_string())) return false;
      }
    }
    if (s.contains("maxProperties") &&
        static_cast<double>(members.size()) > s.at("maxProperties").to_number<double>()) {
      return false;
    }
    if (s.contains("minProperties") &&
        static_cast<double>(members.size()) < s.at("minProperties").to_number<double>()) {
      return false;
    }
    if (s.contains("dependentRequired")) {
      for (const auto& [name, others] : s.at("dependentRequired").get_object()) {
        for (const json::value& other : others.get_array()) {
          if (members.contains(name) && !members.contains(other.get_string())) return false;
        }
      }
    }
    for (const auto& [name, member] : members) {
      if (s.contains("propertyNames") && !fits(json::value(name), s.at("propertyNames")))
        return false;
      const bool named = s.contains("properties") && s.at("properties").get_object().contains(name);
      if (named && !fits(member, s.at("properties").at(name))) return false;
      const bool matched = s.contains("patternProperties") && name.starts_with('x');
      if (matched && !fits(member, s.at("patternProperties").at("^x"))) return false;
      if (!named && !matched && s.contains("additionalProperties") &&
          !fits(member, s.at("additionalProperties"))) {
        return false;
      }
    }
    return true;
  }

  const json::value& root_;
};

struct Answer {
  std::string text;
  FinishReason reason = FinishReason::error;
};

std::unique_ptr<Engine> garbage_engine() {
  const auto tokenizer = std::make_shared<ByteTokenizer>(
      std::vector<std::string>{"{\"", "\":", "\", \"", "\"}", "}}", "ab", "cab", "true", "12", "]}",
                               "\",", "é", "\\\"", "null"});
  TinyOptions options;
  options.n_vocab = tokenizer->n_vocab();
  auto model = std::make_shared<models::Model>(*tiny_model(options));
  model->tokenizer = tokenizer;
  ExecutorOptions executor;
  executor.n_positions_limit = 1 << 16;
  executor.n_threads = 1;
  return make_engine(model, make_fast_executor(model, executor), {}, 1500);
}

TEST(RandomSchemas, AreAnsweredRightByAModelThatWantsGarbage) {
  constexpr uint32_t kSchemas = 1200;
  const auto engine = garbage_engine();
  std::vector<json::value> schemas;
  std::vector<std::future<Answer>> answers;
  std::vector<std::unique_ptr<Engine::Handle>> handles;
  size_t refused = 0;
  for (uint32_t seed = 0; seed < kSchemas; ++seed) {
    json::value schema = Generator(seed).schema();
    GenerateRequest request;
    request.prompt = {static_cast<int32_t>(seed % 200)};
    request.sampler.seed = seed;
    request.max_tokens = 1400;
    request.sampler.logit_bias = {{'}', 2.0f}};  // trees end some time
    request.output.kind = OutputRule::Kind::json_schema;
    request.output.schema = schema;
    request.output.members = seed % 2 == 0 ? Members::any : Members::as_listed;
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = std::make_shared<Answer>();
    try {
      while (engine->stats().queued > 400) std::this_thread::yield();
      handles.push_back(engine->submit(std::move(request), [promise, answer](Event&& event) {
        answer->text += event.text;
        if (event.kind != Event::Kind::finished) return;
        answer->reason = event.reason;
        if (event.error) answer->text += event.error->what();
        promise->set_value(*answer);
      }));
    } catch (const Error& error) {
      // Two of its parts contradict each other, or it is one that is not honoured.
      EXPECT_EQ(error.code(), Code::invalid_argument);
      ++refused;
      continue;
    }
    answers.push_back(promise->get_future());
    schemas.push_back(std::move(schema));
  }
  size_t n_right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Answer answer = answers[i].get();
    if (answer.reason == FinishReason::length) continue;  // a tree in a tree in a tree …
    ASSERT_EQ(answer.reason, FinishReason::stop) << to_json(schemas[i]) << "\n" << answer.text;
    json::value value;
    ASSERT_NO_THROW(value = parse_json(answer.text)) << answer.text;
    ASSERT_TRUE(Validator(schemas[i]).fits(value, schemas[i])) << to_json(schemas[i]) << "\n"
                                                               << answer.text;
    ++n_right;
  }
  EXPECT_GE(n_right, 1000u) << refused << " refused";
}

// Names of an object, few or more than are written at once, which are counted and ask for others.
json::object random_names(std::mt19937& random) {
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const uint32_t n = below(3) == 0 ? 33 + below(30) : 1 + below(5);
  const auto name = [&](uint32_t i) { return json::string(fmt::format("field_{}", i)); };
  json::object properties;
  json::array required;
  for (uint32_t i = 0; i < n; ++i) {
    properties[name(i)] = json::object{{"type", "null"}};
    if (below(12) == 0) properties[name(i)] = false;
    if (below(5) == 0) required.push_back(name(i));
  }
  json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (below(2) == 0) schema["required"] = std::move(required);
  const uint32_t least = below(n + 2);
  if (below(2) == 0) schema["minProperties"] = least;
  if (below(2) == 0) schema["maxProperties"] = least + below(3);
  if (below(2) == 0) {
    schema["additionalProperties"] =
        below(2) == 0 ? json::value(false) : json::value{{"type", "null"}};
  }
  if (below(4) == 0)
    schema["patternProperties"] = json::object{{"^x", json::object{{"type", "null"}}}};
  if (below(3) == 0) {
    json::object asked;
    for (uint32_t i = 0; i < 3; ++i) asked[name(below(n))] = json::array{name(below(n + 1))};
    schema["dependentRequired"] = std::move(asked);
  }
  return schema;
}

TEST(RandomSchemas, ObjectsWhoseNamesAreCountedEndWhateverIsDrawn) {
  size_t n_written = 0, refused = 0;
  for (uint32_t seed = 0; seed < 600; ++seed) {
    std::mt19937 random(seed);
    const json::value schema = random_names(random);
    for (const Members members : {Members::any, Members::as_listed}) {
      std::shared_ptr<Grammar> grammar;
      try {
        grammar =
            compile({.kind = OutputRule::Kind::json_schema, .schema = schema, .members = members});
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::invalid_argument) << error.what();
        ++refused;  // nothing fits, or the names cannot be told apart
        continue;
      }
      for (uint32_t i = 0; i < 3; ++i) {
        const testing::RandomText made = testing::random_text(*grammar, seed * 7 + i);
        ASSERT_FALSE(made.dead) << to_json(schema) << "\n" << made.text;
        if (!made.ended) continue;
        ASSERT_TRUE(Validator(schema).fits(parse_json(made.text), schema))
            << to_json(schema) << "\n"
            << made.text;
        ++n_written;
      }
    }
  }
  EXPECT_GE(n_written, 2000u) << refused << " refused";
}

}  // namespace
}  // namespace strata::inference
