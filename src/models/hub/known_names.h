// What people call models: which model a name stands for, and what is near to one that is nowhere.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace strata::models {

// What a caller's name stands for among the models that `is_here` knows: itself when there is one
// of that name; else, for another name of the catalogue ("smollm2"), the full one when that is here
// ("smollm2:135m"). Valid as long as `name`.
std::string_view resolve_name(std::string_view name,
                              const std::function<bool(std::string_view name)>& is_here);

// "did you mean 'smollm2:135m'?" from the names that are here and those of the catalogue, each with
// and without its tag; with the command that gets it where it is not here. "": nothing is near.
std::string did_you_mean_model(std::string_view name, std::span<const std::string> here);

// Error{not_found} for a name that stands for nothing here, with the way to what was meant.
Error model_not_found(std::string_view name, std::span<const std::string> here);

}  // namespace strata::models
