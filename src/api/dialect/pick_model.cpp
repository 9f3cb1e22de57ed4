#include "api/dialect/pick_model.h"

#include <algorithm>

#include "api/dialect/dialect_common.h"

namespace strata::api {
namespace {

[[noreturn]] void refuse_any(const std::vector<std::string>& here, size_t n_in_memory) {
  constexpr size_t kMostNames = 8;
  std::string names;
  for (size_t i = 0; i < std::min(here.size(), kMostNames); ++i) {
    names += (i == 0 ? "" : ", ") + here[i];
  }
  if (here.size() > kMostNames) names += ", …";
  throw FieldError(
      "model",
      fmt::format("model is missing, and of {} models {} are in memory", here.size(), n_in_memory),
      here.empty() ? "get one: strata pull smollm2:135m"
                   : fmt::format("name one of them: {}; or set the server's own, "
                                 "STRATA_MODEL",
                                 names));
}

std::string pick_model(const Services& services, const std::string& caller) {
  std::vector<std::string> here, in_memory;
  const auto add = [&](std::vector<std::string>& names, std::string name) {
    if (services.gateway->may_ask(caller, name)) names.push_back(std::move(name));
  };
  for (RunningModel& each : services.gateway->running()) add(in_memory, std::move(each.card.name));
  if (in_memory.size() == 1) return in_memory.front();
  for (ModelCard& card : services.gateway->models()) add(here, std::move(card.name));
  if (here.size() == 1) return here.front();
  std::string usual = services.gateway->whole_name(services.default_model);
  if (std::ranges::find(here, usual) != here.end()) return usual;
  refuse_any(here, in_memory.size());
}

}  // namespace

std::string read_model_or_pick(Fields& fields, const Services& services,
                               const std::string& caller) {
  return fields.has("model") ? read_model_name(fields, "model") : pick_model(services, caller);
}

std::string settle_model(std::string named, const Services& services, const std::string& caller) {
  const bool stands_for_any = named == "tgi" || named == "dummy";
  if (!named.empty() && !(stands_for_any && !services.gateway->serves(named))) return named;
  return pick_model(services, caller);
}

std::string model_of_query(const Request& request, const Services& services) {
  auto name = query_value(request.query, "model");
  return name && !name->empty() ? std::move(*name) : pick_model(services, request.owner);
}

}  // namespace strata::api
