// What the description of one operation is made of, from what its part says (docs/api.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/router.h"
#include "api/json_text.h"
#include "core/json.h"

namespace strata::api {

// nullptr: it is not there.
const json::value* find(const json::object& object, std::string_view key);

// {"$ref": "#/components/KIND/NAME"}.
json::object reference(std::string_view kind, std::string_view name);
// {$ref: Name} as a part writes it becomes the place of the schema.
void point(json::value& value);
// Of the parameters in a path.
std::vector<std::string> names_in(std::string_view path);

json::array operation_parameters(const json::object& said, std::string_view path,
                                 const Route& route);
std::optional<json::object> operation_body(const json::object& said);
// The answer that is no error, whole and streamed.
json::object operation_success(const std::string& error_schema, const json::object& said);
// Those that every such answer may carry, as components.
json::object answer_headers();

}  // namespace strata::api
