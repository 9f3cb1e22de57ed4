// Template source to syntax tree.
#pragma once

#include <memory>
#include <string_view>

#include "models/chat/jinja/ast.h"

namespace strata::models::jinja {

// Error{invalid_argument} with line and column, also for a source that is too long or nested too
// deeply.
std::shared_ptr<const Program> parse_program(std::string_view source, const TemplateLimits& limits);

}  // namespace strata::models::jinja
