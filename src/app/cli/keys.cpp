#include "app/cli/keys.h"

#include "core/os.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

json::value time_or_null(const std::optional<int64_t>& seconds) {
  return seconds ? json::value(utc_timestamp(*seconds)) : json::value(nullptr);
}

}  // namespace

api::KeyStore open_keys() {
  const fs::path folder = models::Store().root();
  make_directories(folder);
  return api::KeyStore(folder / "strata.db");
}

std::string_view state_of(const api::KeyInfo& key, int64_t now_s) {
  if (key.revoked) return "revoked";
  return key.expires && *key.expires <= now_s ? "expired" : "live";
}

json::object as_json(const api::KeyInfo& key, int64_t now_s) {
  json::array scopes;
  for (const api::Scope scope : key.scopes) scopes.emplace_back(api::name(scope));
  return {{"id", key.id},
          {"name", key.name},
          {"tail", key.tail},
          {"scopes", scopes},
          {"state", state_of(key, now_s)},
          {"created", utc_timestamp(key.created)},
          {"expires", time_or_null(key.expires)},
          {"last_used", time_or_null(key.last_used)},
          {"revoked", time_or_null(key.revoked)}};
}

}  // namespace strata::app
