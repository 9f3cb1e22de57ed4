// A value in a JSON document that knows its path, so that errors say where.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace strata::models {

class JsonPlace {
 public:
  // `value` must outlive the place and what it gives.
  JsonPlace(const json::value& value, std::string path) : value_(&value), path_(std::move(path)) {}

  // Errors of all: invalid_argument with the path.
  JsonPlace operator[](std::string_view key) const;
  // Nothing where the key is missing or null.
  std::optional<JsonPlace> find(std::string_view key) const;
  JsonPlace item(size_t index) const;

  const json::object& object() const;
  const json::array& array() const;
  std::string_view text() const;
  bool boolean() const;
  int64_t integer() const;
  double number() const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string_view text_or(std::string_view key, std::string_view otherwise) const;
  // The member "type".
  std::string_view type() const { return (*this)["type"].text(); }

  const json::value& value() const { return *value_; }
  const std::string& path() const { return path_; }

  // Refuses members that are none of these: what is not understood changes what comes out.
  // Errors: unimplemented with the path.
  void allow(std::initializer_list<std::string_view> keys) const;
  [[noreturn]] void refuse(std::string_view why) const;           // invalid_argument
  [[noreturn]] void not_understood(std::string_view what) const;  // unimplemented

 private:
  const json::value* value_;
  std::string path_;
};

// A text of exactly one character. Errors: invalid_argument.
std::string read_character(const JsonPlace& place);

}  // namespace strata::models
