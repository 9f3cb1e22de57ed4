#include "api/dialect/machine/machine.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/dialect/own_error.h"
#include "api/json_fields.h"
#include "api/library.h"

namespace strata::api::machine {
namespace {

class Machine final : public Dialect {
 public:
  std::string_view name() const override { return "machine"; }
  bool owns(std::string_view path) const override {
    static constexpr std::array<std::string_view, 7> kOwned{
        "/api/v1/machine", "/api/v1/catalog", "/api/v1/models", "/api/v1/jobs",
        "/api/v1/hub",     "/api/v1/metrics", "/api/v1/logs"};
    return std::ranges::any_of(kOwned, [&](auto prefix) { return path.starts_with(prefix); });
  }
  bool shares() const override { return false; }
  Response error(const Error& error) const override { return own_error(error); }
  void add_routes(RouteTable& table, const Services& services) const override {
    add_model_routes(table, services);
    add_job_routes(table, services);
    add_hub_routes(table, services);
    add_server_routes(table, services);
  }
};

const Registered<Dialect> machine{std::make_unique<Machine>()};

}  // namespace

std::string param(const Exchange& exchange, std::string_view name) {
  return exchange.request().params.at(std::string(name));
}

uint64_t query_number(const Exchange& exchange, std::string_view name, uint64_t low, uint64_t high,
                      uint64_t otherwise) {
  const auto text = query_value(exchange.request().query, name);
  if (!text) return otherwise;
  uint64_t value = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (code == std::errc() && end == text->data() + text->size() && value >= low && value <= high) {
    return value;
  }
  throw FieldError(std::string(name), fmt::format("{} is '{}', it must be a number from {} to {}",
                                                  name, text->substr(0, 40), low, high));
}

void respond_json(Exchange& exchange, const json::value& body) {
  Response response;
  response.headers.add("cache-control", "no-store");
  response.body = to_json(body);
  exchange.respond(std::move(response));
}

ModelLibrary& library_of(const Services& services) {
  if (services.library) return *services.library;
  throw Error(Code::unimplemented, "this server keeps no models of its own");
}

void add_route(RouteTable& table, const Services& services, std::string method, std::string pattern,
               Scope scope, size_t body_limit, Handle handle, Lane lane) {
  table.add({std::move(method), std::move(pattern), scope, body_limit,
             [&services, handle](const auto& exchange) { handle(services, *exchange); }, "machine",
             lane});
}

}  // namespace strata::api::machine
