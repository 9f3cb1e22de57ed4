#include "api/dialect/pick_model.h"

#include "api/dialect/dialect_common.h"

namespace strata::api {
namespace {

std::string pick_model(const Services& services) {
  const auto running = services.gateway->running();
  if (running.size() == 1) return running.front().card.name;
  const auto cards = services.gateway->models();
  if (cards.size() == 1) return cards.front().name;
  throw FieldError("model",
                   fmt::format("model is missing, and of {} models {} are in memory", cards.size(),
                               running.size()),
                   "name the one that is meant in model");
}

}  // namespace

std::string read_model_or_pick(Fields& fields, const Services& services) {
  return fields.has("model") ? read_model_name(fields, "model") : pick_model(services);
}

std::string settle_model(std::string named, const Services& services) {
  const bool stands_for_any = named == "tgi" || named == "dummy";
  if (!named.empty() && !(stands_for_any && !services.gateway->serves(named))) return named;
  return pick_model(services);
}

std::string model_of_query(const std::string& query, const Services& services) {
  auto name = query_value(query, "model");
  return name && !name->empty() ? std::move(*name) : pick_model(services);
}

}  // namespace strata::api
