// The answer to a model name that nobody serves, with the nearest names that somebody does.
#pragma once

#include <string_view>
#include <vector>

#include "api/gateway/backend.h"
#include "core/error.h"

namespace strata::api {

// Error{not_found}.
Error model_not_found(std::string_view model, const std::vector<ModelCard>& known);

}  // namespace strata::api
