// Objects of a schema as expressions: each name of the schema once, in any order or in the
// schema's.
#pragma once

#include <functional>
#include <vector>

#include "inference/constraint/json_text.h"
#include "inference/constraint/schema_shape.h"

namespace strata::inference {

struct SchemaValues {
  std::function<ExprId(Schemas)> value_of;
  std::function<ExprId(const Schemas&)> names_of;  // with their quotes, as propertyNames says
};

// Errors: those of compile_json_schema.
ExprId object_text(Expressions& x, JsonText& text, const SchemaDocument& document,
                   const Shape& shape, const MemberMarks& marks, const SchemaValues& values);

// An array of some of these texts, each at most once.
ExprId different_items(Expressions& x, JsonText& text, const std::vector<ExprId>& items,
                       size_t least, size_t most);

}  // namespace strata::inference
