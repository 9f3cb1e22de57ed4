// The chat that `strata run MODEL` opens in the terminal.
#pragma once

#include <string>

#include "api/gateway/backend.h"
#include "app/cli/chat/session.h"
#include "core/config.h"

namespace strata::app {

// Makes the session's model `name`: fetched when the backend does not have it; the conversation
// begins anew.
void open_model(ChatSession& session, api::Backend& backend, const Config& config,
                const std::string& name);

// Reads and answers until the user leaves; returns the exit code. `keep_typed`: in the history
// file.
int chat(ChatSession& session, api::Backend& backend, const Config& config, bool keep_typed);

}  // namespace strata::app
