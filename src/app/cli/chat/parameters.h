// The settings of a chat by Ollama's names: temperature, num_ctx, stop, …
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/chat/session.h"

namespace strata::app {

// Sets a sampling option or num_ctx by Ollama's name. Error{invalid_argument}: those of
// models::read_parameters(), or a name without effect here.
void set_parameter(ChatSession& session, std::string_view name,
                   const std::vector<std::string>& values);
// name → value of what was set.
std::vector<std::pair<std::string, std::string>> set_parameters(const ChatSession& session);

}  // namespace strata::app
