// How the interfaces that are Strata's own say an error: {"error": {code, message, hint, field}}.
#pragma once

#include "api/http/http.h"
#include "core/error.h"

namespace strata::api {

// The body; the status is the server's to set. "field" only where a field is at fault.
Response own_error(const Error& error);

}  // namespace strata::api
