// Calls as grammars: what is left to the model behind the marker of a call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/chat/output/call_pattern.h"
#include "models/chat/output/tool_set.h"

namespace strata::models {

struct CallKeys {
  std::string name = "name";
  std::string arguments = "arguments";
  std::string id = {};  // of a number that stands before them; "": none
  bool typed = false;   // "type": "function" may stand before them
};

// What a grammar is to be of.
struct CallForm {
  std::vector<std::vector<PatternPart>> calls;        // patterns; a call is written by one of them
  std::vector<std::vector<PatternPart>> params = {};  // patterns of their parameters
  CallKeys keys = {};                                 // of {call} and {calls}
  bool several = false;                               // more calls may follow the first
  std::vector<std::string> separators = {};           // that may stand between them
  std::string end = {};                               // what has to stand behind them; "": anything
};

// Lark's grammar of white space and calls of the tools: their names, and arguments that follow
// their schemas. Errors: none; a schema that cannot be honoured is found when it is compiled.
std::string call_grammar(const CallForm& form, const ToolSet& tools);

}  // namespace strata::models
