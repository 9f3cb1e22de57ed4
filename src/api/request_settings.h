// Settings of a request by the names of PARAMETER (models/parameters.h): temperature, num_ctx,
// stop… A chat has some, and a key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/request.h"
#include "models/parameters.h"

namespace strata::api {

struct RequestSettings {
  SamplingOptions sampling;
  std::optional<int32_t> context;
  std::optional<ContextPolicy> context_policy;
};

// Error{invalid_argument}: those of models::read_parameters(), or a name without effect here.
void set_parameter(RequestSettings& settings, std::string_view name,
                   const std::vector<std::string>& values);
// Each of them. Errors as above.
RequestSettings read_settings(const models::Parameters& parameters);
// name → value of what was set, as it would be typed.
std::vector<std::pair<std::string, std::string>> set_parameters(const RequestSettings& settings);
// What is set, where the request says nothing.
void apply_where_silent(const RequestSettings& settings, ChatRequest& request);

}  // namespace strata::api
