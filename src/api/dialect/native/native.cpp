// Strata's own routes: is the server alive, its counters, what it answers.
#include <array>
#include <mutex>

#include "api/dialect/dialect.h"
#include "api/dialect/own_error.h"
#include "api/openapi/openapi.h"
#include "core/json.h"
#include "core/version.h"

namespace strata::api {
namespace {

// The document, made of the whole table when it is first asked for.
Handler describe(const RouteTable& table) {
  struct Made {
    std::once_flag once;
    std::string text;
  };
  return [&table, made = std::make_shared<Made>()](const std::shared_ptr<Exchange>& exchange) {
    std::call_once(made->once, [&] { made->text = to_json(openapi_document(table)); });
    Response response;
    response.body = made->text;
    exchange->respond(std::move(response));
  };
}

class Native final : public Dialect {
 public:
  std::string_view name() const override { return "native"; }
  bool owns(std::string_view) const override { return false; }  // the fallback: nobody else's

  Response error(const Error& error) const override { return own_error(error); }

  void add_routes(RouteTable& table, const Services& services) const override {
    for (const char* path : {"/health", "/v1/health"}) {
      table.add({"GET", path, Scope::open, 0,
                 [](const std::shared_ptr<Exchange>& exchange) {
                   Response response;
                   response.body = R"({"status":"ok"})";
                   exchange->respond(std::move(response));
                 },
                 std::string(name())});
    }
    table.add({"GET", "/metrics", Scope::metrics, 0,
               [&services](const std::shared_ptr<Exchange>& exchange) {
                 Response response;
                 response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                 response.body = services.metrics->text();
                 exchange->respond(std::move(response));
               },
               std::string(name())});
    table.add({"GET", "/openapi.json", Scope::open, 0, describe(table), std::string(name()),
               Lane::store});
  }
};

const Registered<Dialect> native{std::make_unique<Native>()};

}  // namespace
}  // namespace strata::api
