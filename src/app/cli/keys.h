// The keys of this machine's server, as the `key` commands see them.
#pragma once

#include <string>
#include <string_view>

#include "api/access/keys.h"
#include "core/json.h"

namespace strata::app {

// The key store beside the models, made when it is missing.
api::KeyStore open_keys();

// Everything but the secret; times as UTC text, null where there is none.
json::object as_json(const api::KeyInfo& key, int64_t now_s);

}  // namespace strata::app
