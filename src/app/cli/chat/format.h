// What a user writes to hold answers to a format: --format, /set format.
#pragma once

#include <string_view>

#include "inference/constraint/output_rule.h"

namespace strata::app {

// "json", a JSON Schema or the file that one is in, the file of a grammar (.gbnf, .lark), or
// "regex:EXPRESSION". Error{invalid_argument}: none of these, no JSON, a rule that cannot be
// honoured (of a schema its pointer); not_found; resource_exhausted.
inference::OutputRule read_format(std::string_view format);

}  // namespace strata::app
