#include "models/quantized/settings.h"

#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {

const json::value* Settings::find(std::string_view name) const {
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<int64_t> Settings::integer(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    const json::value* value = find(name);
    if (value == nullptr) continue;
    if (!value->is_int64()) refuse(name, "is no whole number");
    return value->get_int64();
  }
  return std::nullopt;
}

std::optional<bool> Settings::flag(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) refuse(name, "is neither true nor false");
  return value->get_bool();
}

std::optional<std::string> Settings::text(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(name, "is no text");
  return std::string(value->get_string());
}

std::vector<std::string> Settings::texts(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse(name, "is no list");
  std::vector<std::string> out;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) refuse(name, "holds what is no text");
    out.emplace_back(entry.get_string());
  }
  return out;
}

std::vector<int64_t> Settings::integers(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse(name, "is no list");
  std::vector<int64_t> out;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_int64()) refuse(name, "holds what is no whole number");
    out.push_back(entry.get_int64());
  }
  return out;
}

std::optional<Settings> Settings::part(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse(name, "is no object");
  return Settings(value->get_object(), fmt::format("{}.{}", where_, printable(name)));
}

void Settings::refuse(std::string_view name, std::string_view why) const {
  throw Error(Code::invalid_argument, fmt::format("{}: '{}' {}", where_, printable(name), why),
              "the file is damaged or was written wrongly: fetch the model again");
}

void Settings::unsupported(std::string_view name, std::string_view supported) const {
  const json::value* value = find(name);
  throw Error(Code::unimplemented,
              fmt::format("{}: '{}' is {}, which is not supported", where_, printable(name),
                          value == nullptr ? "missing" : printable(to_json(*value))),
              fmt::format("supported: {}", supported));
}

}  // namespace strata::models
