// A prompt that does not fit is refused with the counts.
#pragma once

#include <cstdint>

#include "core/error.h"

namespace strata::api {

struct PromptCounts {  // tokens
  int64_t system = 0;
  int64_t history = 0;
  int64_t message = 0;         // the last one
  int64_t template_words = 0;  // what the chat template writes around them
  int64_t answer = -1;         // asked for; -1: no length is. This and the next are no part of it
  int64_t left_out = 0;        // messages that a context policy took out before
  int64_t total() const { return system + history + message + template_words; }
};

// Error{invalid_argument} for a conversation. `limit`: positions of the context.
Error context_overflow(const PromptCounts& counts, int64_t limit);
// The same for a text that is too long to be counted: the counts are the least it can have.
Error context_overflow_at_least(const PromptCounts& counts, int64_t bytes, int64_t limit);

}  // namespace strata::api
