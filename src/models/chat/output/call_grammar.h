// Calls as grammars: what is left to the model behind the marker of a call.
#pragma once

#include <string>
#include <string_view>

#include "models/chat/output/tool_set.h"

namespace strata::models {

struct CallKeys {
  std::string name = "name";
  std::string arguments = "arguments";
  std::string id = {};  // of a number that stands before them; "": none
};

// Lark's grammar of white space and one object with a tool's name and its arguments, in this order;
// `list`: or of a list of them. `end`: what has to follow; "": anything.
std::string call_grammar(const ToolSet& tools, const CallKeys& keys, bool list,
                         std::string_view end = {});
// Of the arguments alone.
std::string arguments_grammar(const OfferedTool& tool);

}  // namespace strata::models
