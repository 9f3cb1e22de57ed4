// A prompt that does not fit is refused with the counts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

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

// Error{invalid_argument}, with the two numbers for dialects that have a word of their own for it.
class ContextOverflow : public Error {
 public:
  ContextOverflow(int64_t n_prompt, int64_t n_context, std::string message, std::string hint)
      : Error(Code::invalid_argument, std::move(message), std::move(hint)),
        n_prompt_(n_prompt),
        n_context_(n_context) {}
  int64_t n_prompt() const { return n_prompt_; }  // tokens, at least
  int64_t n_context() const { return n_context_; }

 private:
  int64_t n_prompt_, n_context_;
};

// For a conversation. `limit`: positions of the context.
ContextOverflow context_overflow(const PromptCounts& counts, int64_t limit);
// The same for a text that is too long to be counted: the counts are the least it can have.
ContextOverflow context_overflow_at_least(const PromptCounts& counts, int64_t bytes, int64_t limit);

}  // namespace strata::api
