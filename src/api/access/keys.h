// API keys: made here, shown once, stored only as hashes in the store's database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/access/access.h"
#include "api/access/key_settings.h"
#include "api/gateway/callers.h"
#include "core/db.h"

namespace strata::api {

constexpr int64_t kSessionS = 30 * 86'400;
constexpr int64_t kInvitationS = 3600;

struct KeyInfo {
  std::string id;    // what revoke takes: 8 hex digits
  std::string name;  // given by who made it
  std::string tail;  // last four characters of the secret
  std::vector<Scope> scopes;
  int64_t created = 0;  // seconds since 1970, likewise the next three
  std::optional<int64_t> expires;
  std::optional<int64_t> last_used;
  std::optional<int64_t> revoked;
  CallerUse use = {};  // since it was made
  KeySettings settings = {};
};

// "live", "expired" or "revoked".
std::string_view state_of(const KeyInfo& key, int64_t now_s);

struct NewKey {
  KeyInfo info;
  std::string secret;  // "sk-strata-…", 256 random bits; never to be had again
};

// A link's code: "invitation-strata-…", good for kInvitationS seconds.
struct Invitation {
  std::string code;
  int64_t expires = 0;
};

struct Accepted {
  NewKey key;
  std::string session;  // as open_session()
};

// Safe to use from several threads and processes. What keys use is counted in memory and written
// with their last use, when they are listed here, and at the end.
class KeyStore : public KeyChecker, public Callers {
 public:
  explicit KeyStore(const std::filesystem::path& database);
  ~KeyStore() override;

  // Error{invalid_argument}: an empty or over-long name, no scopes, an expiry in the past, settings
  // that are none.
  NewKey create(const std::string& name, const std::vector<Scope>& scopes,
                std::optional<int64_t> expires, int64_t now_s, KeySettings settings = {});
  std::vector<KeyInfo> list() const;                         // revoked ones included, oldest first
  KeyInfo get(const std::string& id) const;                  // Error{not_found}
  bool is_live(const std::string& id, int64_t now_s) const;  // false too of one that never was
  // By id, or by name when only one live key has it. Error{not_found}.
  void revoke(const std::string& id_or_name, int64_t now_s);

  // Of a key, or of a session that is not over and whose key is live.
  std::optional<Principal> check(std::string_view secret, int64_t now_s) override;

  // "session-strata-…", which stands for the key for kSessionS seconds. Error{unauthenticated}: the
  // key is not live.
  std::string open_session(std::string_view secret, int64_t now_s);
  void close_session(std::string_view session);

  // Whoever has it makes one key of this name and these scopes, once. Errors as create().
  Invitation invite(const std::string& name, const std::vector<Scope>& scopes, int64_t now_s);
  // For a first key, an admin's: it ends those that came before it, and is good only while no key
  // is live. nullopt: one is.
  std::optional<Invitation> invite_first(int64_t now_s);
  // Error{unauthenticated}: the invitation is not known, was used, or is over.
  Accepted accept(std::string_view invitation, int64_t now_s);
  // None that is open can be used any more; how many there were.
  int64_t end_invitations();

  // Where browsers find the server of these keys, which says it when it starts; "": none did.
  void set_address(const std::string& url);
  std::string address() const;

  std::vector<std::string> prepare(ChatRequest& request) override;
  void check_model(const std::string& caller, const std::string& model) override;
  bool may_ask(const std::string& caller, const std::string& model) override;
  void used(const std::string& caller, const CallerUse& use) override;  // waits for no disk

 private:
  // These with mutex_.
  void insert(const NewKey& key);
  std::string insert_session(const std::string& key_id, int64_t now_s);
  Invitation insert_invitation(const std::string& name, const std::vector<Scope>& scopes,
                               bool first, int64_t now_s);
  bool any_live(int64_t now_s);
  void write_use() const;
  KeyInfo find(const std::string& id) const;  // as get()

  mutable std::mutex mutex_;
  mutable Database database_;
  mutable std::mutex use_mutex_;
  mutable std::map<std::string, CallerUse> unwritten_;
};

}  // namespace strata::api
