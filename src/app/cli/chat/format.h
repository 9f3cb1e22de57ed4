// What a user writes to hold answers to a format: --format, /set format.
#pragma once

#include <string_view>

#include "inference/constraint/output_rule.h"

namespace strata::app {

// "json", a JSON Schema, or the file that one is in. Error{invalid_argument}: none of these, no
// JSON, a schema that cannot be honoured (its pointer); not_found; resource_exhausted.
inference::OutputRule read_format(std::string_view format);

}  // namespace strata::app
