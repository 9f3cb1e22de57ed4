// Who this machine's user is for a registry: what `docker login` and `podman login` have kept, and
// what a registry asks for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::models {

// "USER:PASSWORD" of that host from DOCKER_CONFIG/config.json, else ~/.docker/config.json; nullopt:
// there is none. Error{failed_precondition}: the file cannot be read.
std::optional<std::string> registry_credentials(std::string_view host);

// What a WWW-Authenticate header asks for (RFC 9110, 11.6.1): its first challenge.
struct RegistryChallenge {
  bool bearer = false;  // a token of `realm`; else Basic
  std::string realm, service, scope;
};
// nullopt: neither Basic nor Bearer with a realm.
std::optional<RegistryChallenge> parse_challenge(std::string_view header);

}  // namespace strata::models
