// An object of config.json, read with checks.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace strata::models {

class Settings {
 public:
  // `where` names it in errors. `object` outlives this.
  Settings(const json::object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  const json::object& object() const { return object_; }

  // null is absent; of several names the first that is there counts. Error{invalid_argument} with
  // the field: a value of another kind.
  const json::value* find(std::string_view name) const;
  std::optional<int64_t> integer(std::initializer_list<std::string_view> names) const;
  std::optional<bool> flag(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;  // empty: absent
  std::vector<int64_t> integers(std::string_view name) const;   // empty: absent
  std::optional<Settings> part(std::string_view name) const;

  [[noreturn]] void refuse(std::string_view name, std::string_view why) const;
  // Error{unimplemented} that tells the value.
  [[noreturn]] void unsupported(std::string_view name, std::string_view supported) const;

 private:
  const json::object& object_;
  std::string where_;
};

}  // namespace strata::models
