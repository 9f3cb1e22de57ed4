#include "api/dialect/pick_model.h"

#include <algorithm>
#include <optional>

#include "api/dialect/dialect_common.h"

namespace strata::api {
namespace {

// "writes text": what the model is there for.
std::string_view work_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::anything:
      return "answers";
    case Purpose::chat:
      return "chats";
    case Purpose::text:
      return "writes text";
    case Purpose::vectors:
      return "makes vectors";
    case Purpose::scores:
      return "scores texts";
  }
  return "";
}

// Models that could be meant.
struct Candidates {
  std::vector<std::string> here, in_memory;
  std::string_view work;  // what they have in common
};

[[noreturn]] void refuse_none(Purpose purpose) {
  const bool writes = purpose == Purpose::chat || purpose == Purpose::text;
  throw FieldError(
      "model", fmt::format("model is missing, and no model here {}", work_of(purpose)),
      writes ? "get one: strata pull smollm2:135m" : "docs/models.md says which models do");
}

[[noreturn]] void refuse_several(const Candidates& found) {
  constexpr size_t kMostNames = 8;
  std::string names;
  for (size_t i = 0; i < std::min(found.here.size(), kMostNames); ++i) {
    names += (i == 0 ? "" : ", ") + found.here[i];
  }
  if (found.here.size() > kMostNames) names += ", …";
  throw FieldError(
      "model",
      fmt::format("model is missing, and each of {} models {}; {} of them are in memory",
                  found.here.size(), found.work, found.in_memory.size()),
      fmt::format("name one of them: {}; or set the server's own, STRATA_MODEL", names));
}

bool does(const ModelTraits& model, Purpose purpose) {
  switch (purpose) {
    case Purpose::anything:
      return true;
    case Purpose::chat:
      return model.generates && model.has_template;
    case Purpose::text:
      return model.generates;
    case Purpose::vectors:
      return !model.generates && !model.scores && !model.fills_masks;
    case Purpose::scores:
      return model.scores;
  }
  return false;
}

// purpose: nullopt: those of whose files nobody knows, since they cannot be read.
bool fits(const Services& services, const std::string& model, std::optional<Purpose> purpose) {
  try {
    const auto traits = services.gateway->traits(model);
    return traits && purpose && does(*traits, *purpose);
  } catch (const Error&) {
    return !purpose;
  }
}

Candidates find(const Services& services, const std::string& caller,
                std::optional<Purpose> purpose) {
  Candidates found;
  found.work = purpose ? work_of(*purpose) : "cannot be read";
  const auto add = [&](std::vector<std::string>& names, std::string name) {
    if (!services.gateway->may_ask(caller, name) || !fits(services, name, purpose)) return;
    names.push_back(std::move(name));
  };
  for (RunningModel& each : services.gateway->running()) {
    add(found.in_memory, std::move(each.card.name));
  }
  for (ModelCard& card : services.gateway->models()) add(found.here, std::move(card.name));
  return found;
}

// Whose models are meant, until there are any: of what does the work worse the answer says so, and
// a file that cannot be read is asked last, and says what is wrong with it.
std::vector<std::optional<Purpose>> in_order(Purpose purpose) {
  if (purpose == Purpose::scores) return {purpose};
  if (purpose == Purpose::text || purpose == Purpose::anything) return {purpose, std::nullopt};
  return {purpose, Purpose::text, std::nullopt};
}

std::string pick_model(const Services& services, const std::string& caller, Purpose purpose) {
  for (const std::optional<Purpose>& each : in_order(purpose)) {
    const Candidates found = find(services, caller, each);
    if (found.in_memory.size() == 1) return found.in_memory.front();
    if (found.here.size() == 1) return found.here.front();
    std::string usual = services.gateway->whole_name(services.default_model);
    if (std::ranges::find(found.here, usual) != found.here.end()) return usual;
    if (!found.here.empty()) refuse_several(found);
  }
  refuse_none(purpose);
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
