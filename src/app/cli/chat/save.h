// /save: a chat becomes a model of its own.
#pragma once

#include <string_view>

#include "app/cli/chat/session.h"
#include "models/hub/store.h"

namespace strata::app {

// Stores the session's model with the session's system message, messages and parameters as `name`,
// and returns that name in full. Error{already_exists} where the name stands for a model that this
// chat was neither loaded from nor saved as, unless `force`.
std::string save_session(ChatSession& session, const models::Store& store, std::string_view name,
                         bool force);

}  // namespace strata::app
