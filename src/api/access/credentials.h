// The one function that reads credentials from a request, in every form that clients use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace strata::api {

// Of routes that take a key in the query: the server puts it there.
constexpr std::string_view kQueryKeyHeader = "x-goog-api-key";

constexpr std::string_view kSessionCookie = "strata_session";
// Every change that is asked for with the cookie carries it: no form of a foreign page can.
constexpr std::string_view kFromAppHeader = "x-strata-app";

// The session that the Cookie header names; nullopt: none.
std::optional<std::string> read_session(const Headers& headers);
// Error{permission_denied}: a change whose only credential is the cookie, without kFromAppHeader.
void check_not_forged(const Request& request);

// Authorization: Bearer KEY, x-api-key: KEY, api-key: KEY or x-goog-api-key: KEY; without any of
// them the session of the cookie. nullopt when there is none (an empty one counts as none).
// Error{unauthenticated} for another Authorization scheme, a repeated header, and for two forms
// that name different keys.
std::optional<std::string> read_credential(const Headers& headers);

}  // namespace strata::api
