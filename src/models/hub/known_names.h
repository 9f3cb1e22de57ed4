// What people call models: which model a name stands for, and what is near to one that is nowhere.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "models/hub/name.h"

namespace strata::models {

class Store;

// The models that a name may stand for.
struct ModelsHere {
  std::function<bool(std::string_view name)> has;  // one of exactly that name
  std::function<std::vector<std::string>()> names;
};

// What a caller's name stands for among them: the one of exactly that name; else, for another name
// of the catalogue ("smollm2"), the full one ("smollm2:135m"); else, when case does not count, the
// only one of that name, and behind it the catalogue's only one ("SmolLM2"). Where none of these is
// here it is the name itself.
std::string resolve_name(std::string_view name, const ModelsHere& here);

// The only one of the names that are here which is `name` when case does not count, with or without
// ":latest"; "": there is none, or there are several.
std::string same_but_case(std::string_view name, std::span<const std::string> here);

// `name` as a model of the store is spelt: where none has exactly that name, but one alone has it
// when case does not count, that one's; otherwise as it is. Error{invalid_argument}.
ModelName spelling_in(const Store& store, std::string_view name);

// "did you mean 'smollm2:135m'?" from the names that are here and those of the catalogue, each with
// and without its tag; with the command that gets it where it is not here. "": nothing is near.
std::string did_you_mean_model(std::string_view name, std::span<const std::string> here);

// Error{not_found} for a name that stands for nothing here, with the way to what was meant.
class ModelNotFound : public Error {
 public:
  ModelNotFound(std::string message, std::string hint)
      : Error(Code::not_found, std::move(message), std::move(hint)) {}
};
ModelNotFound model_not_found(std::string_view name, std::span<const std::string> here);

}  // namespace strata::models
