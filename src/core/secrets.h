// What must not be read by whoever reads logs, lists of jobs and errors: credentials that this
// program was given, by their value, and what looks like one. Each Error and each line of the log
// goes through mask_secrets().
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata {

// From now on mask_secrets() takes that value out, wherever it stands. What has fewer than
// kShortestKeptSecret bytes is not kept: it stands inside of words.
void keep_secret(std::string_view value);
constexpr size_t kShortestKeptSecret = 4;

// environment() of a variable that has a credential, which is kept.
std::optional<std::string> secret_environment(const std::string& name);

// Each as "…": values that are kept; keys of ours and others' ("sk-…", "hf_…", sessions), what
// stands behind "Bearer ", the value of a key, token, password, secret or signature; of a URL user
// and password, and its query.
std::string mask_secrets(std::string_view text);

}  // namespace strata
