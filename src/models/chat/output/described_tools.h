// Tools for a model whose chat template knows none: told in the text of the conversation, called in
// one form.
#pragma once

#include <string_view>

#include "models/chat/message.h"
#include "models/chat/output/output_format.h"

namespace strata::models {

// <tool_call>{"name": …, "arguments": {…}}</tool_call>, kept to its end. Found for no template.
const OutputFormat& described_tools_format();

// Where the tools are told: some templates refuse a system message.
enum class ToolsPlace { system, first_user_message };

// The conversation with its tools told in its text, and calls and their results in it as text, too.
// `system` is the model's own system text: it stands where the conversation has none.
Conversation with_described_tools(Conversation conversation, std::string_view system,
                                  ToolsPlace place);

}  // namespace strata::models
