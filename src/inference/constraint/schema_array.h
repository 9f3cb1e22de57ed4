// Arrays of a schema as expressions.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "inference/constraint/json_text.h"
#include "inference/constraint/schema_shape.h"

namespace strata::inference {

struct ItemValues {
  std::function<ExprId(Schemas)> value_of;
  // All values, each in its one spelling, where they are given and none is an array or an object.
  std::function<std::optional<std::vector<ExprId>>(const Schemas&)> given_in;
};

// Errors: those of compile_json_schema.
ExprId array_text(Expressions& x, JsonText& text, const SchemaDocument& document,
                  const Shape& shape, const ItemValues& values);

}  // namespace strata::inference
