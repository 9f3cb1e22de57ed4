#include "api/dialect/app/app.h"

#include <algorithm>
#include <array>

#include "api/access/keys.h"
#include "api/dialect/own_error.h"
#include "api/json_fields.h"
#include "api/site.h"
#include "core/error.h"
#include "core/log.h"

namespace strata::api::app {
namespace {

class App final : public Dialect {
 public:
  std::string_view name() const override { return "app"; }
  bool owns(std::string_view path) const override {
    static constexpr std::array<std::string_view, 6> kOwned{
        "/api/v1/conversations", "/api/v1/documents", "/api/v1/schema",
        "/api/v1/session",       "/api/v1/shared/",   "/api/v1/votes"};
    return std::ranges::any_of(kOwned, [&](auto prefix) { return path.starts_with(prefix); });
  }
  bool shares() const override { return false; }

  Response error(const Error& error) const override { return own_error(error); }

  void add_routes(RouteTable& table, const Services& services) const override {
    add_thread_routes(table, services, *this);
    add_share_routes(table, services, *this);
    add_session_routes(table, services, *this);
    add_vote_routes(table, services, *this);
    add_schema_route(table, *this);
    add_document_route(table, services, *this);
    const auto add_file = [&](std::string pattern, std::string header, std::string has) {
      table.add({.method = "GET",
                 .pattern = std::move(pattern),
                 .scope = Scope::open,
                 .body_limit = 0,
                 .handler = [&services](const auto& exchange) { give_file(services, *exchange); },
                 .dialect = std::string(name()),
                 .header = std::move(header),
                 .header_has = std::move(has)});
    };
    add_file("/", "accept", "text/html");  // a browser; others ask whether the server is alive
    for (const char* path : {"/assets/{name}", "/frame/{name}", "/icon.svg", "/icon.png",
                             "/manifest.webmanifest", "/sw.js"}) {
      add_file(path, "", "");
    }
  }

 private:
  static void give_file(const Services& services, Exchange& exchange) {
    if (!services.site) throw Error(Code::not_found, "this server has no app");
    services.site->answer(exchange, exchange.request().path);
  }
};

const Registered<Dialect> app{std::make_unique<App>()};

}  // namespace

History& history_of(const Services& services) {
  if (services.history) return *services.history;
  throw Error(Code::failed_precondition, "this server keeps no conversations");
}

bool is_live(const Services& services, const std::string& owner) {
  if (owner.empty() || services.keys == nullptr) return true;
  try {
    return services.keys->is_live(owner, services.now_ms() / 1000);
  } catch (const Error& error) {
    log_warn("the key {} cannot be looked up: {}", owner, error.message());
    return false;
  }
}

std::string param(const Exchange& exchange, std::string_view name) {
  return exchange.request().params.at(std::string(name));
}

void respond_json(Exchange& exchange, const json::value& body) {
  Response response;
  response.headers.add("cache-control", "no-store");
  response.body = to_json(body);
  exchange.respond(std::move(response));
}

json::object message_json(const std::string& thread, const ThreadMessage& message) {
  json::object object = to_json_object(message);
  object["conversation"] = thread;
  return object;
}

}  // namespace strata::api::app
