// Strata's own routes for the server's keys, under /api/v1/keys.
#include "api/access/keys.h"

#include "api/conversation/history.h"
#include "api/dialect/dialect.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/own_error.h"
#include "api/limits.h"

namespace strata::api {
namespace {

using ExchangePtr = std::shared_ptr<Exchange>;

constexpr int64_t kMostSeconds = int64_t{100} * 365 * 86'400;  // a key's life

// Who may be admin only because no key is asked for must sit at this machine: a key that he makes
// would still be good when the server asks for keys.
KeyStore& keys_of(const Services& services) {
  if (services.keys == nullptr) {
    throw Error(Code::failed_precondition, "this server keeps no keys");
  }
  if (!services.keys_manageable) {
    throw Error(Code::permission_denied,
                "this server asks for no key and is open to other machines: who calls is not known",
                "use strata key on its machine, or start it with --require-key");
  }
  return *services.keys;
}

json::value time_or_null(const std::optional<int64_t>& seconds) {
  return seconds ? json::value(*seconds) : json::value(nullptr);
}

json::object as_json(const KeyInfo& key, int64_t now_s) {
  json::array scopes;
  for (const Scope scope : key.scopes) scopes.emplace_back(name(scope));
  json::object object{{"object", "key"},
                      {"id", key.id},
                      {"name", key.name},
                      {"masked", fmt::format("{}…{}", kKeyPrefix, key.tail)},
                      {"scopes", std::move(scopes)},
                      {"state", state_of(key, now_s)},
                      {"created", key.created},
                      {"expires", time_or_null(key.expires)},
                      {"last_used", time_or_null(key.last_used)},
                      {"revoked", time_or_null(key.revoked)},
                      {"requests", key.use.requests},
                      {"prompt_tokens", key.use.prompt_tokens},
                      {"completion_tokens", key.use.completion_tokens}};
  for (auto& member : as_json(key.settings)) object[member.key()] = std::move(member.value());
  return object;
}

void respond(Exchange& exchange, const json::object& body, int status = 200) {
  Response response;
  response.status = status;
  response.headers.add("cache-control", "no-store");  // one of them has a secret
  response.body = to_json(body);
  exchange.respond(std::move(response));
}

void list(const Services& services, Exchange& exchange) {
  json::array data;
  for (const KeyInfo& key : keys_of(services).list()) {
    data.push_back(as_json(key, services.now_ms() / 1000));
  }
  respond(exchange, {{"object", "list"}, {"data", std::move(data)}});
}

std::vector<Scope> read_scopes(Fields& fields) {
  std::vector<Scope> scopes;
  for (const json::value& each : fields.array("scopes", 16)) {
    if (!each.is_string()) fields.fail("scopes", "has an entry that is no text");
    scopes.push_back(parse_scope(std::string_view(each.get_string())));
  }
  if (!fields.has("scopes")) scopes.push_back(Scope::inference);
  return scopes;
}

void create(const Services& services, Exchange& exchange) {
  KeyStore& keys = keys_of(services);
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const std::string name = fields.required_text("name");
  const std::vector<Scope> scopes = read_scopes(fields);
  const auto seconds = fields.integer("expires_in", 1, kMostSeconds);
  KeySettings settings = read_key_settings(fields);
  for (std::string& model : settings.models) model = services.gateway->whole_name(model);
  fields.refuse_unread();
  const int64_t now = services.now_ms() / 1000;
  const NewKey key =
      keys.create(name, scopes, seconds ? std::optional(now + *seconds) : std::nullopt, now,
                  std::move(settings));
  json::object answer = as_json(key.info, now);
  answer["secret"] = key.secret;
  respond(exchange, answer, 201);
}

// By its id alone: several keys may have one name.
void revoke(const Services& services, Exchange& exchange) {
  KeyStore& keys = keys_of(services);
  const std::string id = exchange.request().params.at("id");
  const int64_t now = services.now_ms() / 1000;
  if (!keys.get(id).revoked) keys.revoke(id, now);
  if (services.history) services.history->feed.look_again(id);
  respond(exchange, as_json(keys.get(id), now));
}

class Keys final : public Dialect {
 public:
  std::string_view name() const override { return "keys"; }
  bool owns(std::string_view path) const override { return path.starts_with("/api/v1/keys"); }

  Response error(const Error& error) const override { return own_error(error); }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, size_t limit,
                         void (*handle)(const Services&, Exchange&)) {
      table.add({std::move(method), std::move(pattern), Scope::admin, limit,
                 [&services, handle](const ExchangePtr& exchange) { handle(services, *exchange); },
                 std::string(Keys::name()), Lane::store});
    };
    add("GET", "/api/v1/keys", 0, list);
    add("POST", "/api/v1/keys", kMaxSmallBodyBytes, create);
    add("DELETE", "/api/v1/keys/{id}", 0, revoke);
  }
};

const Registered<Dialect> keys{std::make_unique<Keys>()};

}  // namespace
}  // namespace strata::api
