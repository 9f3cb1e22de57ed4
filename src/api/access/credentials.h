// The one function that reads credentials from a request, in every form that clients use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace strata::api {

// Of routes that take a key in the query: the server puts it there.
constexpr std::string_view kQueryKeyHeader = "x-goog-api-key";

// Authorization: Bearer KEY, x-api-key: KEY, api-key: KEY or x-goog-api-key: KEY. nullopt when
// there is none (an empty one counts as none). Error{unauthenticated} for another Authorization
// scheme, a repeated header, and for two forms that name different keys.
std::optional<std::string> read_credential(const Headers& headers);

}  // namespace strata::api
