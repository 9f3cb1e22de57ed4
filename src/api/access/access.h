// Who is calling, and may they: denied unless a key's scopes, or the server's openness, allow it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/scope.h"
#include "api/http/http.h"

namespace strata::api {

constexpr std::string_view kKeyPrefix = "sk-strata-";
constexpr std::string_view kSessionPrefix = "session-strata-";        // a signed-in browser's
constexpr std::string_view kInvitationPrefix = "invitation-strata-";  // makes a key, once

struct Principal {
  std::string name;  // of the key; "anonymous"
  std::vector<Scope> scopes;
  std::string key_id = {};  // "": no key of ours
};

// Looks keys up; api/access/keys.h keeps them.
class KeyChecker {
 public:
  virtual ~KeyChecker() = default;
  // nullopt: unknown, revoked or expired.
  virtual std::optional<Principal> check(std::string_view secret, int64_t now_s) = 0;
};

struct AccessOptions {
  bool require_key = false;
};

// With require_key every scope but `open` needs a key that holds it. Without, everybody may do
// everything (the server is bound to loopback), but a key of ours that is sent is checked all the
// same, so that a revoked or narrow key never works by accident; other clients' placeholder keys
// ("ollama", "none") are passed over. Error{unauthenticated}, Error{permission_denied}.
Principal authorize(const Headers& headers, Scope wanted, const AccessOptions& options,
                    KeyChecker* keys, int64_t now_s);

// What keeps the traces of callers in shared caches apart: the same for all requests of one owner
// (a key, its sessions, its batches); where nobody is asked who he is, for all with one key of
// ours; 0 for the others.
uint64_t caller_scope(const std::string& owner, const Headers& headers);

}  // namespace strata::api
