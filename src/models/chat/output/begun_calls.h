// Calls that are still being written: what of them is there already, so that their arguments can be
// passed on piece by piece.
#pragma once

#include <string_view>
#include <vector>

#include "models/chat/message.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/tool_set.h"

namespace strata::models {

// Of a text that grows this only grows: calls are added, and the arguments of the last one go on.
// Calls of offered tools alone, written as call_grammar.h keeps them: the name before the
// arguments.
struct BegunCalls {
  std::vector<ToolCall> calls;
  size_t end = 0;  // of the text, behind the last one's arguments
};

// The arguments at text[at] of a call whose name and id are known.
void begin_arguments(std::string_view text, size_t at, ToolCall call, const ToolSet& tools,
                     BegunCalls& begun);
// One or a list of them: PatternPart::Kind::call, calls or keyed.
void begin_calls(std::string_view text, size_t at, PatternPart::Kind kind, const ToolSet& tools,
                 BegunCalls& begun);

}  // namespace strata::models
