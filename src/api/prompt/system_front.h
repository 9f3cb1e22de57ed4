// System text that stands before a conversation's own.
#pragma once

#include <string_view>
#include <vector>

#include "models/chat/message.h"

namespace strata::api {

// `front` before the text of the first message where that is the system's (or developer's), else
// before `own`, the model's, as a message of its own. "": nothing.
void put_system_front(std::string_view front, std::string_view own,
                      std::vector<models::Message>& messages);

}  // namespace strata::api
