// API keys: made here, shown once, stored only as hashes in the store's database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/access/access.h"
#include "core/db.h"

namespace strata::api {

constexpr int64_t kSessionS = 30 * 86'400;

struct KeyInfo {
  std::string id;    // what revoke takes: 8 hex digits
  std::string name;  // given by who made it
  std::string tail;  // last four characters of the secret
  std::vector<Scope> scopes;
  int64_t created = 0;  // seconds since 1970, likewise the next three
  std::optional<int64_t> expires;
  std::optional<int64_t> last_used;
  std::optional<int64_t> revoked;
};

struct NewKey {
  KeyInfo info;
  std::string secret;  // "sk-strata-…", 256 random bits; never to be had again
};

// Safe to use from several threads and processes.
class KeyStore : public KeyChecker {
 public:
  explicit KeyStore(const std::filesystem::path& database);

  // Error{invalid_argument}: an empty or over-long name, no scopes, an expiry in the past.
  NewKey create(const std::string& name, const std::vector<Scope>& scopes,
                std::optional<int64_t> expires, int64_t now_s);
  std::vector<KeyInfo> list() const;  // revoked ones included, oldest first
  // By id, or by name when only one live key has it. Error{not_found}.
  void revoke(const std::string& id_or_name, int64_t now_s);

  // Of a key, or of a session that is not over and whose key is live.
  std::optional<Principal> check(std::string_view secret, int64_t now_s) override;

  // "session-strata-…", which stands for the key for kSessionS seconds. Error{unauthenticated}: the
  // key is not live.
  std::string open_session(std::string_view secret, int64_t now_s);
  void close_session(std::string_view session);

 private:
  mutable std::mutex mutex_;
  mutable Database database_;
};

}  // namespace strata::api
