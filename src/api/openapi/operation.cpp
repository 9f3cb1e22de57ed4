#include "api/openapi/operation.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace strata::api {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kHeaders{{
    {"x-request-id", "The request's own, or a new one; also in the log."},
    {"x-strata-ignored", "Fields that were understood and have no effect here."},
    {"x-strata-notice", "What was done differently from what was asked."},
}};

json::object parameter(std::string_view place, std::string_view name, json::value schema,
                       bool required) {
  return {{"name", name}, {"in", place}, {"required", required}, {"schema", std::move(schema)}};
}

// An answer that has begun can only say in its stream that it failed.
json::value piece_of_stream(const std::string& error_schema, const json::object& stream) {
  json::value piece = stream.at("event");
  point(piece);
  return json::object{{"anyOf", json::array{piece, reference("schemas", error_schema)}}};
}

// A server-sent event whose data is JSON of the schema, or the word that ends the stream.
json::object event_with(json::value schema, const std::string& last) {
  json::object data{{"type", "string"},
                    {"contentMediaType", "application/json"},
                    {"contentSchema", std::move(schema)}};
  if (!last.empty()) {
    data = json::object{{"anyOf", json::array{json::object{{"const", last}}, data}}};
  }
  const json::object event{{"type", "string"}};
  return {{"type", "object"},
          {"required", json::array{"data"}},
          {"properties", json::object{{"event", event}, {"data", std::move(data)}}}};
}

}  // namespace

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

json::object reference(std::string_view kind, std::string_view name) {
  return {{"$ref", fmt::format("#/components/{}/{}", kind, name)}};
}

void point(json::value& value) {
  if (json::array* items = value.if_array()) {
    for (json::value& item : *items) point(item);
  }
  json::object* object = value.if_object();
  if (!object) return;
  for (auto& [key, member] : *object) {
    if (key == "$ref" && member.is_string()) {
      member = reference("schemas", member.get_string()).at("$ref");
    } else {
      point(member);
    }
  }
}

std::vector<std::string> names_in(std::string_view path) {
  std::vector<std::string> names;
  for (size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open)) {
    const size_t close = path.find('}', open);
    names.emplace_back(path.substr(open + 1, close - open - 1));
    open = close;
  }
  return names;
}

json::array operation_parameters(const json::object& said, std::string_view path,
                                 const Route& route) {
  json::array all;
  for (const std::string& each : names_in(path)) {
    all.push_back(
        parameter("path", each, json::object{{"type", "string"}, {"minLength", 1}}, true));
  }
  for (const auto& [key, place] : {std::pair{"query", "query"}, {"headers", "header"}}) {
    const json::value* given = find(said, key);
    if (!given) continue;
    for (const auto& [name, schema] : given->as_object()) {
      json::value pointed = schema;
      point(pointed);
      all.push_back(parameter(place, name, std::move(pointed), std::string_view(key) != "query"));
    }
  }
  const auto names_header = [&](const json::value& each) {
    return each.at("name").as_string() == route.header;
  };
  if (!route.header.empty() && std::ranges::none_of(all, names_header)) {
    all.push_back(parameter("header", route.header, json::object{{"type", "string"}}, true));
  }
  return all;
}

std::optional<json::object> operation_body(const json::object& said) {
  const json::value* form = find(said, "form");
  const json::value* body = form ? form : find(said, "body");
  if (!body) return std::nullopt;
  json::value schema = *body;
  point(schema);
  json::object content{{"schema", std::move(schema)}};
  if (const json::value* example = find(said, "example")) content["example"] = *example;
  const char* type = form ? "multipart/form-data" : "application/json";
  return json::object{{"required", !find(said, "optional")},
                      {"content", json::object{{type, std::move(content)}}}};
}

json::object operation_success(const std::string& error_schema, const json::object& said) {
  json::object content;
  if (const json::value* answer = find(said, "answer")) {
    json::value schema = *answer;
    point(schema);
    const std::string type = text_of(said, "answer_type");
    content[type.empty() ? "application/json" : type] = json::object{{"schema", schema}};
  }
  if (const json::value* stream = find(said, "stream")) {
    const std::string type = text_of(stream->as_object(), "type");
    json::value piece = piece_of_stream(error_schema, stream->as_object());
    if (type == "text/event-stream") {
      piece = event_with(std::move(piece), text_of(stream->as_object(), "last"));
    }
    content[type] = json::object{{"schema", std::move(piece)}};
  }
  json::object headers_of;
  for (const auto& [header, about] : kHeaders) headers_of[header] = reference("headers", header);
  json::object response{{"description", text_of(said, "summary")}, {"headers", headers_of}};
  if (!content.empty()) response["content"] = std::move(content);
  return response;
}

json::object answer_headers() {
  json::object all;
  for (const auto& [header, about] : kHeaders) {
    all[header] =
        json::object{{"description", about}, {"schema", json::object{{"type", "string"}}}};
  }
  return all;
}

}  // namespace strata::api
