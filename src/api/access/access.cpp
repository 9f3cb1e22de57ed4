#include "api/access/access.h"

#include "api/access/credentials.h"
#include "core/error.h"
#include "core/hash.h"

namespace strata::api {
Principal authorize(const Headers& headers, Scope wanted, const AccessOptions& options,
                    KeyChecker* keys, int64_t now_s) {
  if (wanted == Scope::open) return {"anonymous", {}};
  const auto secret = read_credential(headers);
  // Browsers send a cookie to every port of a machine: where no key is asked for it says nothing.
  const bool ours = secret && (secret->starts_with(kKeyPrefix) ||
                               (options.require_key && secret->starts_with(kSessionPrefix)));
  if (!options.require_key && !ours) return {"anonymous", {Scope::admin}};
  if (!secret) {
    throw Error(Code::unauthenticated, "this server asks for a key and the request has none",
                "send 'Authorization: Bearer KEY'; make one with: strata key create");
  }
  std::optional<Principal> principal;
  if (ours && keys) principal = keys->check(*secret, now_s);
  if (!principal) {
    throw Error(Code::unauthenticated, "the key is not known, was revoked, or has expired",
                "make a new one with: strata key create");
  }
  if (!holds(principal->scopes, wanted)) {
    throw Error(Code::permission_denied,
                fmt::format("the key '{}' holds {} and this needs {}", principal->name,
                            to_text(principal->scopes), name(wanted)),
                fmt::format("make one with: strata key create --scopes {}", name(wanted)));
  }
  return *principal;
}

uint64_t caller_scope(const std::string& owner, const Headers& headers) {
  const auto scope = [](const std::string& who) {
    return std::stoull(sha256_hex(who).substr(0, 15), nullptr, 16) + 1;
  };
  if (!owner.empty()) return scope(owner);
  const auto secret = read_credential(headers);
  if (!secret || !(secret->starts_with(kKeyPrefix) || secret->starts_with(kSessionPrefix)))
    return 0;
  return scope(*secret);
}

}  // namespace strata::api
