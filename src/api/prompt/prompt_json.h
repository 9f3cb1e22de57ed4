// The registry's objects as JSON: what /api/v1/prompts answers and `strata prompt --json` prints.
#pragma once

#include "api/prompt/registry.h"

namespace strata::api {

json::object as_json(const PromptLabel& label);
json::object as_json(const PromptInfo& prompt);
// Without the content where only the list of versions is wanted.
json::object as_json(const PromptVersion& version, bool with_content = true);
json::array as_json(const std::vector<models::Message>& messages);

}  // namespace strata::api
