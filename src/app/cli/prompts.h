// The prompt registry of this machine's store, as the `prompt` commands see it.
#pragma once

#include <string>

#include "api/prompt/prompt_json.h"

namespace strata::app {

api::PromptRegistry open_prompts();
// "production 3", "production 3 (10 % get 4)".
std::string label_text(const api::PromptLabel& label);

}  // namespace strata::app
