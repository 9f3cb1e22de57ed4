// JSON Schema (2020-12) as expressions. docs/engine/constraints.md says which keywords, and which
// of the texts that a schema allows.
#pragma once

#include "core/json.h"
#include "inference/constraint/expression.h"
#include "inference/constraint/json_text.h"

namespace strata::inference {

// Errors: invalid_argument, the message begins with the JSON pointer of what is at fault:
// "#/properties/a/pattern: …". Expressions::kNothing: nothing fits the schema.
ExprId compile_json_schema(Expressions& x, const json::value& schema, const ValueStyle& style = {});
// The objects that fit it as the arguments of a call: (NAME=VALUE, …). The same errors.
ExprId compile_call_arguments(Expressions& x, const json::value& schema, const ValueStyle& style);
// The strings that fit the schema, as they are: neither quotes nor escapes. The same errors.
ExprId compile_schema_texts(Expressions& x, const json::value& schema);

}  // namespace strata::inference
