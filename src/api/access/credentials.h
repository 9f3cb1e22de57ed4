// The one function that reads credentials from a request, in every form that clients use.
#pragma once

#include <optional>
#include <string>

#include "api/http/http.h"

namespace strata::api {

// Authorization: Bearer KEY, x-api-key: KEY or api-key: KEY. nullopt when there is none (an empty
// one counts as none). Error{unauthenticated} for another Authorization scheme, a repeated
// header, and for two forms that name different keys.
std::optional<std::string> read_credential(const Headers& headers);

}  // namespace strata::api
