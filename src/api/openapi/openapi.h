// The OpenAPI 3.1 document of the server: what each dialect says of its operations (openapi.yaml
// beside its code), joined with what the routes and the dialects themselves know: scopes, error
// shapes, statuses.
#pragma once

#include <span>
#include <string_view>

#include "api/http/router.h"
#include "core/json.h"

namespace strata::api {

// The parts, as YAML; made at build time of every openapi.yaml of this room. docs/api.md says how
// one is written.
std::span<const std::string_view> openapi_parts();

// Error{internal}: an operation that no route serves, or a schema or operation id that is there
// twice. Routes that no part describes are left out (a test names them).
json::object openapi_document(const RouteTable& routes);

}  // namespace strata::api
