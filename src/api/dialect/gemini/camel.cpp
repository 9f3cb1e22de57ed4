// Keys as protobuf's JSON takes them: camelCase, or with underscores.
#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/gemini/gemini.h"

namespace strata::api::gemini {
namespace {

// What stands below these keys has names of the caller's own.
constexpr std::array<std::string_view, 9> kFree{
    "args",   "response",       "parameters",   "parametersJsonSchema", "responseJsonSchema",
    "labels", "responseSchema", "partMetadata", "thoughtSignature"};

std::string camel(std::string_view key) {
  std::string out;
  for (size_t i = 0; i < key.size(); ++i) {
    const bool joint =
        key[i] == '_' && i > 0 && i + 1 < key.size() && key[i + 1] >= 'a' && key[i + 1] <= 'z';
    if (joint) {
      out += static_cast<char>(key[++i] - 'a' + 'A');
    } else {
      out += key[i];
    }
  }
  return out;
}

void make_camel(json::value& value) {
  if (json::array* items = value.if_array()) {
    for (json::value& item : *items) make_camel(item);
    return;
  }
  json::object* object = value.if_object();
  if (object == nullptr) return;
  json::object out;
  out.reserve(object->size());
  for (auto& member : *object) {
    const std::string key = camel(member.key());
    if (out.contains(key)) {
      throw FieldError(key, fmt::format("{} is there in both of its forms", key),
                       "send each field once");
    }
    if (std::ranges::find(kFree, key) == kFree.end()) make_camel(member.value());
    out.emplace(key, std::move(member.value()));
  }
  *object = std::move(out);
}

}  // namespace

json::value read_camel_body(const std::string& body) {
  json::value document = read_body(body);
  make_camel(document);
  return document;
}

void check_model(Fields& fields, const std::string& model) {
  const auto given = fields.text("model");
  if (!given || *given == model || *given == "models/" + model) return;
  fields.fail("model", "is another model than the path's");
}

}  // namespace strata::api::gemini
