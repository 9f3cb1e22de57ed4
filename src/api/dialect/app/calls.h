// Tools in the app's conversations: what a model may call, what it called, and what came of it. The
// server runs none: a person or a program of his says what a tool gave back.
#pragma once

#include <vector>

#include "api/conversation/thread_store.h"
#include "api/json_fields.h"
#include "models/chat/message.h"

namespace strata::api::app {

// Puts the field "outputs" beside the calls of the answer. FieldError: it made no such call.
void put_outputs(Fields& fields, ThreadMessage& answer);

// The message as a model reads it: calls that have an output, and behind it these.
void add_turn(const ThreadMessage& message, std::vector<models::Message>& turns);

}  // namespace strata::api::app
