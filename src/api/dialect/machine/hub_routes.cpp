// /api/v1/hub: what the configured hub has, asked by this server for whoever may pull.
#include "api/dialect/machine/machine.h"
#include "api/json_fields.h"
#include "api/library.h"
#include "models/hub/hf_api.h"

namespace strata::api::machine {
namespace {

constexpr uint64_t kUsualResults = 20;

std::string query_text(const Exchange& exchange, std::string_view name) {
  auto text = query_value(exchange.request().query, name);
  if (text && !text->empty()) return std::move(*text);
  throw FieldError(std::string(name), fmt::format("{} is missing", name));
}

json::object model_json(const models::HubModel& model) {
  return {{"repository", model.repository},
          {"licence", model.licence},
          {"task", model.task},
          {"updated", model.updated},
          {"downloads", model.downloads},
          {"likes", model.likes},
          {"gated", model.gated}};
}

void search(const Services& services, Exchange& exchange) {
  const std::string text = query_text(exchange, "search");
  const uint64_t limit = query_number(exchange, "limit", 1, models::kMaxHubResults, kUsualResults);
  json::array list;
  for (const auto& model : models::search_hub(text, limit, library_of(services).policy())) {
    list.push_back(model_json(model));
  }
  respond_json(exchange, json::object{{"hub", models::hf_endpoint()}, {"models", std::move(list)}});
}

void files(const Services& services, Exchange& exchange) {
  const std::string repository = query_text(exchange, "repository");
  json::array list;
  for (const auto& offer : models::hub_offers(repository, library_of(services).policy())) {
    list.push_back(json::object{{"file", offer.file},
                                {"model", fmt::format("hf:{}:{}", repository, offer.file)},
                                {"size", offer.size},
                                {"parts", offer.parts},
                                {"sha256", offer.sha256}});
  }
  respond_json(exchange, json::object{{"repository", repository}, {"files", std::move(list)}});
}

}  // namespace

void add_hub_routes(RouteTable& table, const Services& services) {
  add_route(table, services, "GET", "/api/v1/hub/models", Scope::models, 0, search, Lane::network);
  add_route(table, services, "GET", "/api/v1/hub/files", Scope::models, 0, files, Lane::network);
}

}  // namespace strata::api::machine
