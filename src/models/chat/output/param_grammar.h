// Parameters of a call that stand in text, as grammars: by their names, each with a value that its
// schema allows.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/output/call_pattern.h"
#include "models/chat/output/tool_set.h"

namespace strata::models {

// Adds a rule with this body, and tells its name.
using AddRule = std::function<std::string(std::string_view kind, const std::string& body)>;

// Whether the tool's parameters can be said by these patterns: they have to be known by their names
// where the patterns write a name twice.
bool has_param_grammar(const std::vector<std::vector<PatternPart>>& patterns,
                       const OfferedTool& tool);

// What {params} stands for: each parameter at most once, all that are required. Few may come in any
// order, many in the order of the schema. A tool whose schema lists none may have any.
std::string params_grammar(const std::vector<std::vector<PatternPart>>& patterns,
                           const ToolSet& tools, const OfferedTool& tool, const AddRule& add_rule);

}  // namespace strata::models
