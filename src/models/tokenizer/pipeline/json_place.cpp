#include "models/tokenizer/pipeline/json_place.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"

namespace strata::models {

JsonPlace JsonPlace::operator[](std::string_view key) const {
  const json::value* found = object().if_contains({key.data(), key.size()});
  if (found == nullptr) refuse(fmt::format("has no \"{}\"", key));
  return {*found, path_ + "." + std::string(key)};
}

std::optional<JsonPlace> JsonPlace::find(std::string_view key) const {
  const json::value* found = object().if_contains({key.data(), key.size()});
  if (found == nullptr || found->is_null()) return std::nullopt;
  return JsonPlace(*found, path_ + "." + std::string(key));
}

JsonPlace JsonPlace::item(size_t index) const {
  return {array().at(index), fmt::format("{}[{}]", path_, index)};
}

const json::object& JsonPlace::object() const {
  if (!value_->is_object()) refuse("is no object");
  return value_->get_object();
}

const json::array& JsonPlace::array() const {
  if (!value_->is_array()) refuse("is no array");
  return value_->get_array();
}

std::string_view JsonPlace::text() const {
  if (!value_->is_string()) refuse("is no text");
  const auto& text = value_->get_string();
  return {text.data(), text.size()};
}

bool JsonPlace::boolean() const {
  if (!value_->is_bool()) refuse("is neither true nor false");
  return value_->get_bool();
}

int64_t JsonPlace::integer() const {
  if (value_->is_int64()) return value_->get_int64();
  refuse("is no whole number");
}

double JsonPlace::number() const {
  if (value_->is_double()) return value_->get_double();
  if (value_->is_int64()) return static_cast<double>(value_->get_int64());
  if (value_->is_uint64()) return static_cast<double>(value_->get_uint64());
  refuse("is no number");
}

bool JsonPlace::boolean_or(std::string_view key, bool otherwise) const {
  const auto found = find(key);
  return found ? found->boolean() : otherwise;
}

std::string_view JsonPlace::text_or(std::string_view key, std::string_view otherwise) const {
  const auto found = find(key);
  return found ? found->text() : otherwise;
}

void JsonPlace::allow(std::initializer_list<std::string_view> keys) const {
  for (const auto& member : object()) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key == "type" || std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    not_understood(fmt::format("\"{}\"", key));
  }
}

void JsonPlace::refuse(std::string_view why) const {
  throw Error(Code::invalid_argument, fmt::format("{} {}", path_, why));
}

void JsonPlace::not_understood(std::string_view what) const {
  throw Error(Code::unimplemented, fmt::format("{}: {} is not understood", path_, what),
              "what a tokenizer leaves out changes what the model reads, so the file is refused");
}

std::string read_character(const JsonPlace& place) {
  const std::string_view text = place.text();
  if (text.empty() || utf8_length_at(text, 0) != text.size()) place.refuse("is not one character");
  return std::string(text);
}

}  // namespace strata::models
