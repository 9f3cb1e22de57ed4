// YAML (yaml-cpp) as a JSON value, with limits: anchors cannot multiply, nesting cannot overflow.
#pragma once

#include <string_view>

#include "core/json.h"

namespace strata {

struct YamlLimits {
  size_t max_bytes = 4u << 20;
  int max_depth = 32;
  size_t max_nodes = 100'000;  // counted after aliases are followed
};

// Plain scalars follow YAML's core schema (true, null, 12, 1.5; quoted ones stay text); keys are
// texts; no document is null. Error{invalid_argument} with line and column: syntax, a key twice,
// more than one document, a limit, a tag beyond the core schema.
json::value parse_yaml(std::string_view text, const YamlLimits& limits = {});

}  // namespace strata
