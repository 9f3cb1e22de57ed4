// Signing in with a key, or a link that makes one: what a browser then sends is a cookie that no
// script can read.
#include "api/access/credentials.h"
#include "api/access/keys.h"
#include "api/dialect/app/app.h"
#include "api/dialect/dialect_common.h"
#include "api/limits.h"
#include "core/version.h"

namespace strata::api::app {
namespace {

constexpr size_t kMaxLinkBodyBytes = 1024;

KeyStore& keys_of(const Services& services) {
  if (services.keys) return *services.keys;
  throw Error(Code::failed_precondition, "this server has no keys to sign in with");
}

// A browser says itself where the page came from, and the cookie is that browser's own: behind a
// proxy that ends TLS nothing else has to be believed. Other origins than the server's own or an
// allowed one do not come so far (guard.h).
bool came_over_tls(const Headers& headers) {
  return headers.find("origin").value_or("").starts_with("https://");
}

std::string cookie(const std::string& session, int64_t max_age_s, const Headers& headers) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}", kSessionCookie,
                     session, max_age_s, came_over_tls(headers) ? "; Secure" : "");
}

// Anybody may ask whether he has to sign in.
void state(const Services& services, Exchange& exchange) {
  const auto session = read_session(exchange.request().headers);
  std::optional<Principal> principal;
  if (services.require_key && services.keys && session) {
    principal = services.keys->check(*session, services.now_ms() / 1000);
  }
  std::vector<Scope> scopes = principal ? principal->scopes : std::vector<Scope>();
  if (!services.require_key) scopes = {Scope::admin};
  json::array may;
  for (const Scope scope : {Scope::inference, Scope::metrics, Scope::models}) {
    if (holds(scopes, scope)) may.emplace_back(name(scope));
  }
  if (services.keys_manageable && holds(scopes, Scope::admin)) may.emplace_back("admin");
  json::object body{{"key_required", services.require_key},
                    {"signed_in", !services.require_key || principal.has_value()},
                    {"may", std::move(may)},
                    {"name", principal ? principal->name : ""},
                    {"version", version()}};
  respond_json(exchange, body);
}

void set_session(Exchange& exchange, const std::string& session) {
  exchange.add_header("set-cookie", cookie(session, kSessionS, exchange.request().headers));
}

void open(const Services& services, Exchange& exchange) {
  const std::string secret = read_credential(exchange.request().headers).value_or("");
  set_session(exchange, keys_of(services).open_session(secret, services.now_ms() / 1000));
  respond_json(exchange, json::object{{"signed_in", true}});
}

void close_sent(const Services& services, Exchange& exchange) {
  if (const auto session = read_session(exchange.request().headers)) {
    keys_of(services).close_session(*session);
  }
}

// Open to all: the invitation is the credential. The session that the browser had ends.
void accept(const Services& services, Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const std::string invitation = fields.required_text("invitation");
  fields.refuse_unread();
  const Accepted accepted = keys_of(services).accept(invitation, services.now_ms() / 1000);
  close_sent(services, exchange);
  set_session(exchange, accepted.session);
  respond_json(exchange, json::object{{"signed_in", true},
                                      {"name", accepted.key.info.name},
                                      {"secret", accepted.key.secret}});
}

void close(const Services& services, Exchange& exchange) {
  close_sent(services, exchange);
  exchange.add_header("set-cookie", cookie("", 0, exchange.request().headers));
  respond_json(exchange, json::object{{"signed_in", false}});
}

}  // namespace

void add_session_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, Scope scope, size_t limit,
                       Lane lane, void (*handle)(const Services&, Exchange&)) {
    table.add({std::move(method), std::move(pattern), scope, limit,
               [&services, handle](const auto& exchange) { handle(services, *exchange); },
               std::string(dialect.name()), lane});
  };
  add("GET", "/api/v1/session", Scope::open, 0, Lane::store, state);
  add("POST", "/api/v1/session", Scope::inference, kMaxSmallBodyBytes, Lane::store, open);
  add("POST", "/api/v1/session/link", Scope::open, kMaxLinkBodyBytes, Lane::store, accept);
  add("DELETE", "/api/v1/session", Scope::inference, kMaxSmallBodyBytes, Lane::store, close);
}

}  // namespace strata::api::app
