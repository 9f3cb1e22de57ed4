// The document against the routes, the dialects' error shapes, and the committed lists of fields.
#include "api/openapi/openapi.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "api/json_fields.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"

namespace strata::api {
namespace {

using testing::Running;

json::value read_data(const std::string& file) {
  std::ifstream in(STRATA_SOURCE_DIR "/src/api/dialect/" + file);
  EXPECT_TRUE(in) << file;
  return parse_json(std::string((std::istreambuf_iterator<char>(in)), {}));
}

class OpenApi : public ::testing::Test {
 protected:
  // what(method, path, operation)
  template <typename What>
  void each_operation(What what) const {
    for (const auto& [path, item] : document_.at("paths").as_object()) {
      for (const auto& [method, operation] : item.as_object()) {
        what(std::string(method), std::string(path), operation.as_object());
      }
    }
  }

  const json::object& component(std::string_view kind, std::string_view name) const {
    return document_.at("components").at(kind).at(name).as_object();
  }

  const json::value* resolve(std::string_view pointer) const {
    boost::system::error_code error;
    return whole_.find_pointer(pointer.substr(1), error);
  }

  // Every schema that a value of this one may have to match.
  void alternatives(const json::value& schema, std::vector<const json::object*>& out) const {
    const json::object* object = schema.if_object();
    if (!object || out.size() > 500) return;
    if (const json::value* pointer = object->if_contains("$ref"); pointer && pointer->is_string()) {
      return alternatives(*resolve(pointer->get_string()), out);
    }
    out.push_back(object);
    for (const char* key : {"allOf", "anyOf"}) {
      const json::value* list = object->if_contains(key);
      if (!list) continue;
      for (const json::value& each : list->as_array()) alternatives(each, out);
    }
    if (const json::value* items = object->if_contains("items")) alternatives(*items, out);
  }

  // Whether a request may have the field: "tools[function].function.name".
  bool has_field(const json::value& schema, std::vector<std::string> names) const {
    if (names.empty()) return true;
    std::vector<const json::object*> all;
    alternatives(schema, all);
    const std::string name = names.front();
    names.erase(names.begin());
    return std::ranges::any_of(all, [&](const json::object* each) {
      const json::value* properties = each->if_contains("properties");
      const json::value* found = properties ? properties->as_object().if_contains(name) : nullptr;
      return found && has_field(*found, names);
    });
  }

  bool is_in_a_schema(const std::string& name) const {
    const json::object& schemas = document_.at("components").at("schemas").as_object();
    return std::ranges::any_of(
        schemas, [&](const auto& schema) { return has_field(schema.value(), {name}); });
  }

  const json::value& request_schema(std::string_view path) const {
    return document_.at("paths")
        .at(path)
        .at("post")
        .at("requestBody")
        .at("content")
        .at("application/json")
        .at("schema");
  }

  Running running_;
  json::object document_ = openapi_document(running_.server->routes());
  json::value whole_ = document_;
};

std::vector<std::string> names_of(std::string_view field) {
  std::vector<std::string> names(1);
  bool inside = false;
  for (const char c : field) {
    if (c == '[') inside = true;
    if (!inside && c == '.') names.emplace_back();
    if (!inside && c != '.') names.back() += c;
    if (c == ']') inside = false;
  }
  return names;
}

// Members that the schema does not know, or that it asks for in vain; enums.
void expect_matches(const json::value& body, const json::object& said, const std::string& where) {
  if (const json::value* values = said.if_contains("enum")) {
    EXPECT_TRUE(std::ranges::find(values->as_array(), body) != values->as_array().end())
        << where << ": " << to_json(body);
  }
  const json::object* object = body.if_object();
  const json::value* properties = said.if_contains("properties");
  if (!object || !properties) return;
  for (const auto& [key, member] : *object) {
    const json::value* schema = properties->as_object().if_contains(key);
    ASSERT_NE(schema, nullptr) << where << ": " << std::string_view(key);
    expect_matches(member, schema->as_object(), where);
  }
  const json::value* required = said.if_contains("required");
  if (!required) return;
  for (const json::value& name : required->as_array()) {
    EXPECT_TRUE(object->contains(name.as_string())) << where << ": " << name;
  }
}

TEST_F(OpenApi, DescribesEveryRoute) {
  std::set<std::string> described;
  each_operation([&](const std::string&, const std::string&, const json::object& operation) {
    for (const json::value& each : operation.at("x-strata-routes").as_array()) {
      described.emplace(each.as_string());
    }
  });
  for (const Route& route : running_.server->routes().routes()) {
    EXPECT_TRUE(described.contains(route.method + " " + route.pattern))
        << route.method << " " << route.pattern << " is not described: say what it takes and "
        << "answers in openapi.yaml beside the dialect '" << route.dialect
        << "' (docs/api.md, The OpenAPI document)";
  }
}

TEST_F(OpenApi, OfARouteThatAHeaderAsksForSaysBothDialects) {
  const json::object& operation = document_.at("paths").at("/v1/models").at("get").as_object();
  EXPECT_EQ(operation.at("tags").as_array().size(), 3u);
  const json::value& schema =
      operation.at("responses").at("200").at("content").at("application/json").at("schema");
  EXPECT_EQ(schema.at("anyOf").as_array().size(), 3u);
  for (const json::value& parameter : operation.at("parameters").as_array()) {
    EXPECT_FALSE(parameter.at("required").as_bool()) << to_json(parameter);
  }
}

TEST_F(OpenApi, RefusesAnOperationThatNoRouteServes) {
  EXPECT_THROW(openapi_document(RouteTable()), Error);
}

TEST_F(OpenApi, EveryReferenceLeadsSomewhere) {
  size_t n_found = 0;
  const auto walk = [&](const auto& self, const json::value& value) -> void {
    if (const json::array* items = value.if_array()) {
      for (const json::value& item : *items) self(self, item);
    }
    const json::object* object = value.if_object();
    if (!object) return;
    for (const auto& [key, member] : *object) {
      if (key == "$ref" && member.is_string()) {
        EXPECT_NE(resolve(member.get_string()), nullptr) << member;
        ++n_found;
      }
      self(self, member);
    }
  };
  walk(walk, whole_);
  EXPECT_GT(n_found, 1000u);
}

TEST_F(OpenApi, EveryOperationSaysWhatItIsAndWhatItAnswers) {
  std::set<std::string> ids;
  each_operation([&](const std::string& method, const std::string& path,
                     const json::object& operation) {
    const std::string where = method + " " + path;
    EXPECT_TRUE(ids.emplace(operation.at("operationId").as_string()).second) << where;
    EXPECT_FALSE(operation.at("summary").as_string().empty()) << where;
    const json::object& responses = operation.at("responses").as_object();
    const bool built = !operation.contains("x-strata-unbuilt");
    EXPECT_EQ(responses.contains("501") && !responses.contains("200") && !responses.contains("201"),
              !built)
        << where;
    EXPECT_TRUE(responses.contains("400") && responses.contains("500")) << where;
    EXPECT_FALSE(responses.contains("default")) << where;
    const bool open = operation.at("x-strata-scope").as_string() == "open";
    const bool takes_link = path == "/api/v1/session/link";  // a credential of its own
    EXPECT_EQ(responses.contains("401"), !open || takes_link) << where;
    for (const auto& [status, response] : responses) {
      const json::value* pointer = response.as_object().if_contains("$ref");
      const json::value& said = pointer ? *resolve(pointer->as_string()) : response;
      EXPECT_FALSE(said.at("description").as_string().empty()) << where << " " << status;
      const bool error = status[0] != '2';
      EXPECT_TRUE(!error || said.as_object().contains("content")) << where << " " << status;
    }
    size_t n_in_path = 0;
    for (const json::value& parameter : operation.at("parameters").as_array()) {
      if (parameter.at("in").as_string() != "path") continue;
      ++n_in_path;
      EXPECT_NE(
          path.find(fmt::format("{{{}}}", std::string_view(parameter.at("name").as_string()))),
          std::string::npos);
    }
    EXPECT_EQ(n_in_path, static_cast<size_t>(std::ranges::count(path, '{'))) << where;
  });
  EXPECT_GT(ids.size(), 90u);
}

TEST_F(OpenApi, TheErrorsOfEveryDialectHaveTheShapeThatIsSaid) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    const json::object& response = component("responses", fmt::format("{}_400", dialect->name()));
    const json::value& schema = response.at("content").at("application/json").at("schema");
    const json::object& said = resolve(schema.at("$ref").as_string())->as_object();
    for (int i = 0; i <= static_cast<int>(Code::deadline_exceeded); ++i) {
      const Error plain(static_cast<Code>(i), "message", "hint");
      const FieldError field("a.b", "a.b is wrong");
      for (const Error* error : {&plain, static_cast<const Error*>(&field)}) {
        const json::value body = parse_json(error_response(*dialect, *error).body);
        expect_matches(body, said, std::string(dialect->name()));
      }
    }
  }
}

TEST_F(OpenApi, TakesEveryFieldThatTheListsCall) {
  const json::value outcome = read_data("openai/testdata/fields/outcome.json");
  const auto refused = [&](const std::string& name) {
    return std::ranges::any_of(outcome.at("refused").as_array(), [&](const json::value& each) {
      return name.starts_with(std::string_view(each.as_string()));
    });
  };
  size_t n_walked = 0;
  for (const char* file : {"chat", "messages", "completions", "embeddings"}) {
    const json::value data = read_data(fmt::format("openai/testdata/fields/{}.json", file));
    const std::string route(data.at("route").as_string());
    for (const json::value& each : data.at("fields").as_array()) {
      const std::string field(each.at("field").as_string());
      if (refused(route + " " + field)) continue;
      EXPECT_TRUE(has_field(request_schema(route), names_of(field))) << route << " " << field;
      ++n_walked;
    }
  }
  EXPECT_GT(n_walked, 90u);
}

// Those of cases.json: "[text].text" is a field of a block that may stand in several places.
TEST_F(OpenApi, TakesEveryFieldThatTheCasesHonour) {
  struct Listed {
    const char* file;
    const char* path;
  };
  for (const Listed& listed :
       {Listed{"anthropic/testdata/cases.json", "/v1/messages"},
        Listed{"anthropic/testdata/block_cases.json", "/v1/messages"},
        Listed{"gemini/testdata/cases.json", "/v1beta/models/{model}:generateContent"}}) {
    const json::value cases = read_data(listed.file);
    for (const char* kind : {"honoured", "ignored"}) {
      for (const auto& [key, value] : cases.at(kind).as_object()) {
        const std::string field(key);
        const json::value& schema = request_schema(listed.path);
        const auto names = names_of(field);
        const bool found =
            has_field(schema, names) || (names.front().empty() && is_in_a_schema(names.back()));
        EXPECT_TRUE(found) << listed.path << " " << field;
      }
    }
  }
}

TEST_F(OpenApi, IsServedToEverybody) {
  ServerOptions options;
  options.require_key = true;
  struct NoKeys final : KeyChecker {
    std::optional<Principal> check(std::string_view, int64_t) override { return std::nullopt; }
  } none;
  Running running(default_script(), options, &none);
  const auto reply = testing::fetch(running.port(), "GET", "/openapi.json", {});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(parse_json(reply.body), whole_);
}

}  // namespace
}  // namespace strata::api
