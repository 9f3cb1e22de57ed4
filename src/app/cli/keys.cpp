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

json::object as_json(const api::KeyInfo& key, int64_t now_s) {
  json::array scopes;
  for (const api::Scope scope : key.scopes) scopes.emplace_back(api::name(scope));
  json::object object{{"id", key.id},
                      {"name", key.name},
                      {"tail", key.tail},
                      {"scopes", scopes},
                      {"state", api::state_of(key, now_s)},
                      {"created", utc_timestamp(key.created)},
                      {"expires", time_or_null(key.expires)},
                      {"last_used", time_or_null(key.last_used)},
                      {"revoked", time_or_null(key.revoked)},
                      {"requests", key.use.requests},
                      {"prompt_tokens", key.use.prompt_tokens},
                      {"completion_tokens", key.use.completion_tokens}};
  for (auto& member : api::as_json(key.settings)) object[member.key()] = std::move(member.value());
  return object;
}

}  // namespace strata::app
