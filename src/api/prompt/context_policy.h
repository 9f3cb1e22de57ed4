// What becomes of a conversation that does not fit the context: it is refused, its oldest turns are
// left out, or they are replaced by a summary. What goes and what stays is decided here; nothing is
// ever left out without being told.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/chat/message.h"

namespace strata::api {

enum class ContextPolicy : uint8_t { error, truncate, summarise };

std::string_view name(ContextPolicy policy);
ContextPolicy parse_context_policy(std::string_view text);  // Error{invalid_argument}

// What of a conversation its model does not read.
struct ContextChange {
  ContextPolicy policy = ContextPolicy::truncate;
  int64_t messages = 0;
  int64_t tokens = 0;          // theirs, with what the template writes around them
  bool tokens_counted = true;  // false: so many at least, by their bytes
  // Of summarise.
  int64_t unsummarised = 0;          // messages of them that no summary tells of
  bool summary_kept = false;         // an earlier request's summary stands there
  int32_t summary_input_tokens = 0;  // what was read and written for it now
  int32_t summary_output_tokens = 0;
};
std::string notice_of(const ContextChange& change);
json::object as_json(const ContextChange& change);

bool is_system(const models::Message& message);

// Messages that go together, with what they hold of system text left standing.
struct Turn {
  size_t begin = 0, end = 0;
};
// What may go, in the order in which it goes. A turn is a user's message with all that was answered
// to it, calls of tools and their results included. The last user's message stays; of what came
// behind it (a call with its results each) all may go but the last.
std::vector<Turn> droppable_turns(std::span<const models::Message> messages);
// Without the first n of the turns. A summary stands in their place as a user's message and an
// assistant's: templates want the two in turn.
std::vector<models::Message> without_turns(std::span<const models::Message> messages,
                                           std::span<const Turn> turns, size_t n,
                                           std::string_view summary = {});

}  // namespace strata::api
