// A member of an object that was not made here.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace strata::api {

// "" where there is no such text.
inline std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace strata::api
