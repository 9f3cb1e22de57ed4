// /v1/models as Anthropic's clients read it.
#include "api/dialect/anthropic/anthropic.h"
#include "api/dialect/dialect_common.h"

namespace strata::api::anthropic {
namespace {

json::object model_json(const ModelCard& card, const Gateway& gateway, bool in_full) {
  json::object model{{"type", "model"},           {"id", card.name},
                     {"display_name", card.name}, {"created_at", rfc3339(card.modified * 1000)},
                     {"lifecycle", "active"},     {"max_input_tokens", nullptr},
                     {"max_tokens", nullptr}};
  if (!in_full) return model;
  const auto traits = gateway.traits(card.name);
  if (traits && traits->context > 0) {
    model["max_input_tokens"] = traits->context;
    model["max_tokens"] = traits->context;
  }
  return model;
}

// The place of the model that a page begins behind, or ends before.
std::optional<size_t> place_of(const std::vector<ModelCard>& cards, const std::string& query,
                               std::string_view field) {
  const auto id = query_value(query, field);
  if (!id) return std::nullopt;
  for (size_t i = 0; i < cards.size(); ++i) {
    if (cards[i].name == *id) return i;
  }
  throw Error(Code::invalid_argument, fmt::format("{} is no model's id: '{}'", field, *id));
}

}  // namespace

void list_models(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const std::string& query = exchange->request().query;
  const auto cards = services.gateway->models();
  const auto limit = static_cast<size_t>(read_limit(query));
  const auto after = place_of(cards, query, "after_id");
  const auto before = place_of(cards, query, "before_id");
  size_t begin = after ? *after + 1 : 0;
  size_t end = std::min(cards.size(), begin + limit);
  if (before) {
    end = std::max(begin, std::min(*before, cards.size()));
    begin = std::max(begin, end > limit ? end - limit : 0);
  }
  json::array data;
  for (size_t i = begin; i < end; ++i) {
    data.push_back(model_json(cards[i], *services.gateway, false));
  }
  const auto id_of = [&](size_t i) {
    return begin < end ? json::value(json::string(cards[i].name)) : json::value(nullptr);
  };
  const bool has_more = before ? begin > 0 : end < cards.size();
  json::object body{
      {"first_id", id_of(begin)}, {"last_id", id_of(end - 1)}, {"has_more", has_more}};
  body["data"] = std::move(data);
  Response response;
  response.body = to_json(body);
  exchange->respond(std::move(response));
}

void get_model(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const std::string& id = exchange->request().params.at("id");
  const auto cards = services.gateway->models();
  Response response;
  response.body = to_json(model_json(find_card(cards, id), *services.gateway, true));
  exchange->respond(std::move(response));
}

}  // namespace strata::api::anthropic
