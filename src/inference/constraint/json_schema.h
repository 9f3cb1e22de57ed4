// JSON Schema (2020-12) as expressions. docs/engine/constraints.md says which keywords, and which
// of the texts that a schema allows.
#pragma once

#include "core/json.h"
#include "inference/constraint/expression.h"

namespace strata::inference {

// Errors: invalid_argument, the message begins with the JSON pointer of what is at fault:
// "#/properties/a/pattern: …". Expressions::kNothing: nothing fits the schema.
ExprId compile_json_schema(Expressions& x, const json::value& schema);
// The strings that fit the schema, as they are: neither quotes nor escapes. The same errors.
ExprId compile_schema_texts(Expressions& x, const json::value& schema);

}  // namespace strata::inference
