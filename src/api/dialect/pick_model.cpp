#include "api/dialect/pick_model.h"

#include <algorithm>

#include "api/dialect/dialect_common.h"

namespace strata::api {
namespace {

// "writes text": what the model is there for.
std::string_view work_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::anything:
      return "answers";
    case Purpose::text:
      return "writes text";
    case Purpose::vectors:
      return "makes vectors";
    case Purpose::scores:
      return "scores texts";
  }
  return "";
}

[[noreturn]] void refuse_any(const std::vector<std::string>& here, size_t n_in_memory,
                             Purpose purpose) {
  constexpr size_t kMostNames = 8;
  if (here.empty()) {
    throw FieldError("model",
                     fmt::format("model is missing, and no model here {}", work_of(purpose)),
                     purpose == Purpose::text ? "get one: strata pull smollm2:135m"
                                              : "docs/models.md says which models do");
  }
  std::string names;
  for (size_t i = 0; i < std::min(here.size(), kMostNames); ++i) {
    names += (i == 0 ? "" : ", ") + here[i];
  }
  if (here.size() > kMostNames) names += ", …";
  throw FieldError(
      "model",
      fmt::format("model is missing, and each of {} models {}; {} of them are in memory",
                  here.size(), work_of(purpose), n_in_memory),
      fmt::format("name one of them: {}; or set the server's own, STRATA_MODEL", names));
}

bool does(const ModelTraits& model, Purpose purpose) {
  switch (purpose) {
    case Purpose::anything:
      return true;
    case Purpose::text:
      return model.generates;
    case Purpose::vectors:
      return !model.generates && !model.scores && !model.fills_masks;
    case Purpose::scores:
      return model.scores;
  }
  return false;
}

// Of a file that cannot be read nobody knows: it is asked, and that says what is wrong with it.
bool may_do(const Services& services, const std::string& model, Purpose purpose) {
  try {
    const auto traits = services.gateway->traits(model);
    return traits && does(*traits, purpose);
  } catch (const Error&) {
    return purpose == Purpose::anything || purpose == Purpose::text;
  }
}

std::string pick_model(const Services& services, const std::string& caller, Purpose purpose) {
  std::vector<std::string> here, in_memory;
  const auto add = [&](std::vector<std::string>& names, std::string name) {
    if (!services.gateway->may_ask(caller, name) || !may_do(services, name, purpose)) return;
    names.push_back(std::move(name));
  };
  for (RunningModel& each : services.gateway->running()) add(in_memory, std::move(each.card.name));
  if (in_memory.size() == 1) return in_memory.front();
  for (ModelCard& card : services.gateway->models()) add(here, std::move(card.name));
  if (here.size() == 1) return here.front();
  std::string usual = services.gateway->whole_name(services.default_model);
  if (std::ranges::find(here, usual) != here.end()) return usual;
  if (here.empty() && purpose == Purpose::vectors) {
    return pick_model(services, caller, Purpose::text);
  }
  refuse_any(here, in_memory.size(), purpose);
}

}  // namespace

std::string read_model_or_pick(Fields& fields, const Services& services, const std::string& caller,
                               Purpose purpose) {
  return fields.has("model") ? read_model_name(fields, "model")
                             : pick_model(services, caller, purpose);
}

std::string settle_model(std::string named, const Services& services, const std::string& caller,
                         Purpose purpose) {
  const bool stands_for_any = named == "tgi" || named == "dummy";
  if (!named.empty() && !(stands_for_any && !services.gateway->serves(named))) return named;
  return pick_model(services, caller, purpose);
}

std::string model_of_query(const Request& request, const Services& services) {
  auto name = query_value(request.query, "model");
  return name && !name->empty() ? std::move(*name)
                                : pick_model(services, request.owner, Purpose::anything);
}

}  // namespace strata::api
