// Chat completions that were asked to be stored: kept here, listed and changed by the routes below
// /v1/chat/completions.
#pragma once

#include <string>

#include "api/dialect/dialect.h"

namespace strata::api::responses {

// Keeps a finished chat. `completion`: the whole answer, whose "id" must be nobody else's (new_id()
// of api/conversation/page.h makes such), "model" and "created" as they were sent; `messages`:
// those of the request, as they were sent; `metadata`: pairs of texts. Writes to the disk: not for
// the engine's thread. Error{failed_precondition} where nothing is kept.
void keep_chat(const Services& services, const std::string& owner, json::object completion,
               const json::array& messages, const json::object& metadata);

}  // namespace strata::api::responses
