#include "api/openapi/openapi.h"

#include <array>
#include <map>
#include <set>

#include "api/access/credentials.h"
#include "api/dialect/dialect.h"
#include "api/not_yet.h"
#include "api/openapi/operation.h"
#include "core/ascii.h"
#include "core/version.h"
#include "core/yaml.h"

namespace strata::api {
namespace {

// What any route may answer, whatever it is for.
constexpr std::array kAlways{Code::invalid_argument, Code::permission_denied, Code::internal,
                             Code::unavailable};

struct Transport {
  int status;
  std::string_view why;
};
constexpr std::array kTransport{
    Transport{408, "The request did not arrive in time."},
    Transport{413, "The body is over the route's limit."},
    Transport{414, "The path and the query are too long."},
    Transport{415, "The body is compressed."},
    Transport{417, "The head expects what this server does not know."},
    Transport{431, "The head of the request is too large."},
};

constexpr std::string_view kNotYet = "not_yet";  // among an operation's errors: a NotYet

[[noreturn]] void fail(const std::string& what) {
  throw Error(Code::internal, "the description of the interfaces " + what);
}

const Dialect& dialect_of(std::string_view name) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    if (dialect->name() == name) return *dialect;
  }
  fail(fmt::format("names no dialect: '{}'", name));
}

Code code_named(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Code::deadline_exceeded); ++i) {
    if (name(static_cast<Code>(i)) == text) return static_cast<Code>(i);
  }
  fail(fmt::format("has '{}' among its errors", text));
}

// A path that the pattern fits.
std::string sample_path(std::string path) {
  for (const std::string& each : names_in(path)) {
    const std::string braced = fmt::format("{{{}}}", each);
    path.replace(path.find(braced), braced.size(), "x");
  }
  return path;
}

class Builder {
 public:
  explicit Builder(const RouteTable& routes) : routes_(routes) {}

  void add(const json::object& part) {
    if (const json::value* schemas = find(part, "schemas")) add_schemas(schemas->as_object());
    const std::string name = text_of(part, "dialect");
    if (name.empty()) return;
    tags_.push_back(json::object{
        {"name", name}, {"description", text_of(part, "about")}, {"x-title", part.at("title")}});
    const json::object& operations = part.at("operations").as_object();
    for (const auto& [where, said] : operations) {
      json::object operation = said.as_object();
      if (const json::value* same = find(operation, "same")) {
        const json::value id = operation.at("id");
        const json::object& original = operations.at(same->as_string()).as_object();
        operation = original;
        operation["id"] = id;
        operation["same_as"] = original.at("id");
      }
      add_operation(dialect_of(name), text_of(part, "error"), where, operation);
    }
  }

  json::object finish() {
    for (auto& [where, operation] : later_) insert(where.first, where.second, operation);
    json::object components{{"schemas", std::move(schemas_)},
                            {"responses", std::move(responses_)},
                            {"headers", answer_headers()},
                            {"securitySchemes", schemes()}};
    return {{"openapi", "3.1.0"},
            {"info", json::object{{"title", "Strata"},
                                  {"version", version()},
                                  {"description",
                                   "Everything that this server answers. Each interface has a tag; "
                                   "fields that it does not know are refused."}}},
            {"servers", json::array{json::object{{"url", "/"}}}},
            {"tags", std::move(tags_)},
            {"security", security(false)},
            {"paths", std::move(paths_)},
            {"components", std::move(components)}};
  }

 private:
  void add_schemas(const json::object& schemas) {
    for (const auto& [name, schema] : schemas) {
      json::value pointed = schema;
      point(pointed);
      if (!schemas_.emplace(name, std::move(pointed)).second) {
        fail(fmt::format("has two schemas with the name {}", std::string_view(name)));
      }
    }
  }

  const Route& route_of(const Dialect& dialect, std::string_view method, const std::string& path) {
    Headers headers;
    for (const Route& route : routes_.routes()) {
      if (route.dialect != dialect.name() || route.header.empty()) continue;
      headers.add(route.header, route.header_has.empty() ? "x" : route.header_has);
    }
    const Route* route = routes_.match(method, sample_path(path), &headers).route;
    if (!route || route->method != method || route->dialect != dialect.name()) {
      fail(fmt::format("has {} {}, which {} does not serve", method, path, dialect.name()));
    }
    return *route;
  }

  void add_operation(const Dialect& dialect, const std::string& error_schema,
                     std::string_view where, const json::object& said) {
    const size_t space = where.find(' ');
    const std::string method(where.substr(0, space)), path(where.substr(space + 1));
    const Route& route = route_of(dialect, method, path);
    const std::string id = text_of(said, "id");
    if (id.empty() || !ids_.insert(id).second) {
      fail(fmt::format("has an id twice, or none, at {}", where));
    }
    const std::string where_is = route.method + " " + route.pattern;
    json::object operation{{"operationId", id},
                           {"summary", text_of(said, "summary")},
                           {"tags", json::array{json::string(dialect.name())}},
                           {"x-strata-scope", name(route.scope)},
                           {"x-strata-routes", json::array{json::string(where_is)}}};
    if (find(said, "unbuilt")) operation["x-strata-unbuilt"] = true;
    if (find(said, "endless")) operation["x-strata-endless"] = true;
    if (const json::value* same = find(said, "same_as")) operation["x-strata-same-as"] = *same;
    operation["parameters"] = operation_parameters(said, path, route);
    if (auto body = operation_body(said)) operation["requestBody"] = std::move(*body);
    operation["responses"] = all_responses(dialect, error_schema, said, route);
    if (route.scope == Scope::open) operation["security"] = json::array{};
    if (route.key_in_query) operation["security"] = security(true);
    if (route.header.empty()) return insert(path, method, operation);
    operation["description"] =
        fmt::format("With the header {}: {}.", route.header, text_of(said, "summary"));
    later_.push_back({{path, method}, std::move(operation)});  // joins one that is there by then
  }

  json::object all_responses(const Dialect& dialect, const std::string& error_schema,
                             const json::object& said, const Route& route) {
    json::object all;
    if (!find(said, "unbuilt")) {
      const json::value* status = find(said, "status");
      all[status ? std::to_string(status->as_int64()) : "200"] =
          operation_success(error_schema, said);
    }
    std::vector<Code> codes(kAlways.begin(), kAlways.end());
    if (route.scope != Scope::open) codes.push_back(Code::unauthenticated);
    if (find(said, "unbuilt")) codes.push_back(Code::unimplemented);
    if (const json::value* more = find(said, "errors")) {
      for (const json::value& each : more->as_array()) {
        if (each.as_string() == kNotYet) {
          all[std::to_string(kNotYetStatus)] = error(dialect, error_schema, kNotYetStatus, kNotYet);
        } else {
          codes.push_back(code_named(each.as_string()));
        }
      }
    }
    for (const Code code : codes) {
      const int status = error_response(dialect, Error(code, "")).status;
      all[std::to_string(status)] = error(dialect, error_schema, status, name(code));
    }
    // A slash in what stands for a parameter makes the path another route's.
    if (route.pattern.find("}/") != std::string::npos) {
      all["404"] = error(dialect, error_schema, 404, "not_found");
      all["405"] = error(dialect, error_schema, 405, "The path is another route's.");
    }
    for (const Transport& each : kTransport) {
      all[std::to_string(each.status)] = error(dialect, error_schema, each.status, each.why);
    }
    return all;
  }

  // One entry for a status of a dialect, used by all of its operations.
  json::object error(const Dialect& dialect, const std::string& schema, int status,
                     std::string_view why) {
    const std::string key = fmt::format("{}_{}", dialect.name(), status);
    json::object& entry =
        responses_[key].is_null() ? responses_[key].emplace_object() : responses_[key].as_object();
    std::string text = text_of(entry, "description");
    if (text.find(why) == std::string::npos) {
      text += fmt::format("{}{}", text.empty() ? "" : ", ", why);
    }
    entry["description"] = text;
    entry["content"] =
        json::object{{"application/json", json::object{{"schema", reference("schemas", schema)}}}};
    return reference("responses", key);
  }

  void insert(const std::string& path, const std::string& method, json::object operation) {
    json::value& item = paths_[path];
    if (item.is_null()) item.emplace_object();
    const std::string lower = lower_case(method);
    json::object& methods = item.as_object();
    if (const auto there = methods.find(lower); there != methods.end()) {
      join(there->value().as_object(), operation);
    } else {
      methods[lower] = std::move(operation);
    }
  }

  // A route that answers in another dialect when a header asks for it.
  void join(json::object& whole, const json::object& other) const {
    for (const json::value& parameter : other.at("parameters").as_array()) {
      if (parameter.at("in").as_string() == "path") continue;
      json::object optional = parameter.as_object();
      optional["required"] = false;
      whole["parameters"].as_array().push_back(std::move(optional));
    }
    for (const char* key : {"tags", "x-strata-routes"}) {
      whole[key].as_array().push_back(other.at(key).at(0));
    }
    const std::string before = text_of(whole, "description");
    whole["description"] = before + (before.empty() ? "" : " ") + text_of(other, "description");
    if (other.contains("security")) whole["security"] = other.at("security");
    json::object& mine = whole["responses"].as_object();
    for (const auto& [status, response] : other.at("responses").as_object()) {
      if (!mine.contains(status)) {
        mine[status] = response;
      } else {
        mine[status] = either(resolved(mine[status]), resolved(response));
      }
    }
  }

  json::object resolved(const json::value& response) const {
    const json::value* pointer = find(response.as_object(), "$ref");
    if (!pointer) return response.as_object();
    const std::string_view where = pointer->as_string();
    return responses_.at(where.substr(where.rfind('/') + 1)).as_object();
  }

  static json::object either(json::object a, const json::object& b) {
    json::object& mine = a["content"].as_object();
    for (const auto& [type, content] : b.at("content").as_object()) {
      if (json::value* same = mine.if_contains(type)) {
        unite(same->at("schema"), content.at("schema"));
      } else {
        mine[type] = content;
      }
    }
    return a;
  }

  static void unite(json::value& schema, const json::value& other) {
    json::array all{other};
    if (schema.as_object().contains("anyOf")) {
      for (const json::value& each : schema.at("anyOf").as_array()) all.push_back(each);
    } else {
      all.push_back(schema);
    }
    schema = json::object{{"anyOf", std::move(all)}};
  }

  static json::object schemes() {
    const auto header = [](std::string_view name) {
      return json::object{{"type", "apiKey"}, {"in", "header"}, {"name", name}};
    };
    return {{"bearer", json::object{{"type", "http"}, {"scheme", "bearer"}}},
            {"x-api-key", header("x-api-key")},
            {"api-key", header("api-key")},
            {"x-goog-api-key", header(kQueryKeyHeader)},
            {"key", json::object{{"type", "apiKey"}, {"in", "query"}, {"name", "key"}}}};
  }

  // The empty one: a key is only asked for with --require-key.
  static json::array security(bool in_query) {
    json::array all{json::object{}};
    for (const char* each : {"bearer", "x-api-key", "api-key", "x-goog-api-key", "key"}) {
      if (in_query || each != std::string_view("key")) {
        all.push_back(json::object{{each, json::array{}}});
      }
    }
    return all;
  }

  const RouteTable& routes_;
  json::array tags_;
  json::object paths_, schemas_, responses_;
  std::set<std::string> ids_;
  std::vector<std::pair<std::pair<std::string, std::string>, json::object>> later_;
};

}  // namespace

json::object openapi_document(const RouteTable& routes) {
  Builder builder(routes);
  for (const std::string_view part : openapi_parts()) builder.add(parse_yaml(part).as_object());
  return builder.finish();
}

}  // namespace strata::api
